//! The vectors from PyTorch in the repository's tests/golden: values and all gradients of layers of A, B and C with K = 1 to 4.

use crate::common::{
    Arrays, Path, array, assert_close, assert_within, gradients, largest, tensor, with_parameters,
};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_burn::{Layer, LayerConfig};
use ndarray::{ArrayD, Axis, IxDyn};
use std::collections::HashMap;
use std::path::PathBuf;

macro_rules! activations {
    ($($name:ident: $k:tt $share:tt;)*) => {$(
        #[dynamic_activation(k = $k, share = $share)]
        struct $name;
    )*};
}

activations! {
    A1: 1 "spatial+channel"; A2: 2 "spatial+channel"; A3: 3 "spatial+channel"; A4: 4 "spatial+channel";
    B1: 1 "spatial"; B2: 2 "spatial"; B3: 3 "spatial"; B4: 4 "spatial";
    C1: 1 "none"; C2: 2 "none"; C3: 3 "none"; C4: 4 "none";
}

#[dynamic_activation(
    k = 3, share = "spatial", init(a = [1.0, -0.5, 0.25], b = [0.1, 0.0, -0.2]), lambda(a = 0.7, b = 0.25)
)]
struct B3Constants;

#[dynamic_activation(
    k = 2, share = "none", init(a = [1.0, 0.25], b = [0.0, 0.1]), lambda(a = [0.7, 0.7], b = 0.25)
)]
struct C2Constants;

/// Where a layer is computed, and how exactly.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) device: Device,
    pub(crate) dtype: DType,
    pub(crate) tolerance: f64,
    pub(crate) paths: &'static [Path],
}

/// One of the vectors' files.
struct Case<'a> {
    file: SafeTensors<'a>,
    metadata: HashMap<String, String>,
}

impl Case<'_> {
    fn get(&self, name: &str) -> ArrayD<f64> {
        let view = self.file.tensor(name).unwrap();
        let numbers = view
            .data()
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        ArrayD::from_shape_vec(IxDyn(view.shape()), numbers.collect()).unwrap()
    }

    /// What the files call parameters, or their gradients, with our names and shapes.
    fn arrays(&self, prefix: &str) -> Arrays {
        let names = self
            .file
            .names()
            .into_iter()
            .filter_map(|name| name.strip_prefix(prefix));
        let arrays = names.map(|name| {
            let mut value = self.get(&format!("{prefix}{name}"));
            if name == "att.weight" {
                let channels = value.len();
                value = value.into_shape_with_order(IxDyn(&[1, channels])).unwrap();
            }
            (name.replace("att.", "attention."), value)
        });
        arrays.collect()
    }

    fn check<A: DynamicActivation>(&self, passes: &[Pass]) {
        match self.get("x").ndim() {
            3 => self.check_rank::<A, 3>(passes),
            4 => self.check_rank::<A, 4>(passes),
            rank => panic!("rank {rank}"),
        }
    }

    fn check_rank<A: DynamicActivation, const D: usize>(&self, passes: &[Pass]) {
        for pass in passes {
            println!("{pass:?}");
            for &path in pass.paths {
                for order in [Order::Standard, Order::ChannelsLast, Order::Offset] {
                    println!("{path:?}, {order:?}");
                    self.check_pass::<A, D>(pass, path, order);
                }
            }
        }
    }

    fn check_pass<A: DynamicActivation, const D: usize>(&self, pass: &Pass, path: Path, order: Order) {
        let Pass {
            ref device,
            dtype,
            tolerance,
            ..
        } = *pass;
        let x = self.get("x");
        let config = LayerConfig::new(x.shape()[1])
            .with_hidden(Some(self.metadata["hidden"].parse().unwrap()))
            .with_temperature(self.metadata["tau"].parse().ok());
        let layer: Layer<A> = with_parameters(config.init(device), &self.arrays("param."), dtype);

        let leaf = tensor::<D>(&x, device, dtype).require_grad();
        let x = order.apply(leaf.clone());
        let y = path.forward(&layer, x.clone());
        assert_close("y", &array(y.clone()), &self.get("y"), tolerance);
        let plain = path.forward(&layer.valid(), x.clone().inner());
        assert_close("y without autodiff", &array(plain), &self.get("y"), tolerance);

        let coefficients = array(layer.coefficients(x.clone()));
        for (p, name) in ["mid.coef_a", "mid.coef_b"].into_iter().enumerate() {
            let found = coefficients.index_axis(Axis(2), p).into_dyn().to_owned();
            assert_close(name, &found, &self.get(name), tolerance);
        }
        let attention = layer.attention(x);
        assert_eq!(attention.is_some(), self.metadata["mode"] == "C");
        if let Some(attention) = attention {
            assert_close("mid.pi", &array(attention), &self.get("mid.pi"), tolerance);
        }

        let grad_y = order.apply(tensor::<D>(&self.get("grad_y"), device, dtype));
        let grads = (y * grad_y).sum().backward();
        let dx = array(leaf.grad(&grads).expect("a gradient of x"));
        assert_close("dx", &dx, &self.get("dx"), tolerance);
        let (found, expected) = (gradients(&layer, &grads), self.arrays("grad."));
        assert!(found.keys().eq(expected.keys()), "{found:?}");
        // Those of the first layer are sums that cancel: in single precision they are as exact as what they are sums of.
        let of_all = expected.values().map(largest).fold(0.0, f64::max);
        for (name, grad) in found {
            let expected = &expected[&name];
            if name == "attention.bias" {
                // Zero: PyTorch's sum of terms that cancel is not exactly.
                assert!(grad.iter().all(|value| value.abs() < tolerance), "{grad}");
            } else {
                let scale = if dtype == DType::F32 {
                    of_all
                } else {
                    largest(expected)
                };
                assert_within(&name, &grad, expected, tolerance * scale);
            }
        }
    }
}

/// How a tensor stands in memory.
#[derive(Debug, Clone, Copy)]
enum Order {
    Standard,
    ChannelsLast,
    /// A part of a larger tensor.
    Offset,
}

impl Order {
    /// The same numbers in this order.
    fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Standard => x,
            Self::ChannelsLast => {
                // There and back, with a copy in between.
                let x = x.movedim(1, -1) + 0.0;
                x.movedim(-1, 1)
            }
            Self::Offset => {
                let last = x.dims()[D - 1];
                Tensor::cat(vec![x.clone(), x.clone(), x], D - 1).narrow(D - 1, last, last)
            }
        }
    }
}

/// Compares layers with all vectors, for tensors in several memory orders.
pub(crate) fn check_vectors(passes: &[Pass]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path
            .extension()
            .is_none_or(|extension| extension != "safetensors")
            || name.starts_with("islanna")
        {
            continue;
        }
        println!("{name}");
        let bytes = std::fs::read(&path).unwrap();
        let case = Case {
            file: SafeTensors::deserialize(&bytes).unwrap(),
            metadata: SafeTensors::read_metadata(&bytes)
                .unwrap()
                .1
                .metadata()
                .clone()
                .unwrap(),
        };
        let check = match (&*case.metadata["mode"], &*case.metadata["k"]) {
            _ if name == "b_k3_constants.safetensors" => Case::check::<B3Constants>,
            _ if name == "c_k2_constants.safetensors" => Case::check::<C2Constants>,
            ("A", "1") => Case::check::<A1>,
            ("A", "2") => Case::check::<A2>,
            ("A", "3") => Case::check::<A3>,
            ("A", "4") => Case::check::<A4>,
            ("B", "1") => Case::check::<B1>,
            ("B", "2") => Case::check::<B2>,
            ("B", "3") => Case::check::<B3>,
            ("B", "4") => Case::check::<B4>,
            ("C", "1") => Case::check::<C1>,
            ("C", "2") => Case::check::<C2>,
            ("C", "3") => Case::check::<C3>,
            ("C", "4") => Case::check::<C4>,
            other => panic!("{name}: {other:?}"),
        };
        check(&case, passes);
        cases += 1;
    }
    assert_eq!(cases, 46);
}
