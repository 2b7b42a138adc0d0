//! A layer among candle's own: variables, checkpoints, prefixes, optimisers.

mod common;

use candle_core::{DType, Device, Module, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap, seq};
use common::{array, assert_close, parameters_of};
use dyrelu::gallery::{
    DyReluA, DyReluB, DyReluC, DyReluNormalised, DyShiftMax, Maxout, PRelu, SRelu, SqueezeExcite,
};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{DynamicActivation, Scalar};
use dyrelu_candle::{LayerConfig, layer};
use ndarray::{ArrayD, IxDyn};

const CPU: Device = Device::Cpu;

fn config<A: DynamicActivation>() -> LayerConfig {
    let groups = A::NEIGHBOURS.iter().any(|neighbour| neighbour.groups != 0);
    LayerConfig {
        groups: groups.then_some(4),
        ..LayerConfig::new(8)
    }
}

fn ndarray_layer<A: DynamicActivation, T: Scalar>() -> dyrelu::Layer<A, T> {
    let builder = A::layer(8).seed(5);
    match config::<A>().groups {
        Some(groups) => builder.groups(groups).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn x<T: Scalar>() -> ArrayD<T> {
    let mut i = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(&[3, 8, 5, 4]), || {
        i += 1.0;
        T::from_f64(2.0 * f64::sin(i * i * 0.7))
    })
}

fn to_f64<T: Scalar>(array: &ArrayD<T>) -> ArrayD<f64> {
    array.mapv(Scalar::to_f64)
}

#[test]
fn new_parameters_have_the_names_shapes_and_ranges_of_the_ndarray_engine() {
    fn check<A: DynamicActivation>() {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
        let made = layer::<A>(&config::<A>(), vb.pp("block").pp("act")).unwrap();
        let vars = vars.data().lock().unwrap();
        let expected = ndarray_layer::<A, f32>();
        let parameters = parameters_of(&expected);
        assert_eq!(vars.len(), parameters.len());
        for (name, expected) in &parameters {
            let found = &vars[&format!("block.act.{name}")];
            assert_eq!(found.dims(), expected.shape(), "{} {name}", A::NAME);
            let found = array(found);
            if name.ends_with("weight") && expected.len() > 8 {
                let inputs = expected.shape()[1] as f64;
                let largest = found.iter().fold(0.0, |max: f64, value| max.max(value.abs()));
                assert!(largest <= 1.0 / inputs.sqrt() && largest > 0.5 / inputs.sqrt());
            } else if !name.starts_with("fc")
                && !name.starts_with("attention.weight")
                && name != "attention.bias"
            {
                assert_close(name, &found, expected, 0.0);
            }
        }
        let names = made.parameters().map(|(name, _)| name);
        assert!(names.eq(expected.parameters().map(|(name, _)| name)));
        assert!(made.parameters().all(|(_, value)| value.is_variable()));
    }
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DyShiftMax>();
    check::<SqueezeExcite>();
    check::<PRelu>();
    // Their pieces begin with different values.
    check::<Maxout>();
    check::<SRelu>();
}

#[test]
fn layers_of_the_same_prefix_share_what_was_learned() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
    let first = layer::<Maxout>(&config::<Maxout>(), vb.pp("act")).unwrap();
    for (_, value) in first.parameters() {
        let learned = Tensor::full(0.75_f32, value.shape(), &CPU).unwrap();
        Var::from_tensor(value).unwrap().set(&learned).unwrap();
    }
    let again = layer::<Maxout>(&config::<Maxout>(), vb.pp("act")).unwrap();
    for layer in [&again, &first.clone()] {
        for ((_, found), (name, expected)) in layer.parameters().zip(first.parameters()) {
            assert_eq!(found.id(), expected.id(), "{name}");
        }
    }
    let found = array(again.parameters().next().unwrap().1);
    assert_eq!(found, found.mapv(|_| 0.75));
}

#[test]
fn files_are_those_of_the_ndarray_engine() {
    fn check_type<A: DynamicActivation, T: Scalar>(dtype: DType) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("act.safetensors");
        let mut saved = ndarray_layer::<A, T>();
        saved.set_running_statistics(0.25, 1.5);
        saved.save_safetensors(&path).unwrap();
        let x = x::<T>();
        let expected = to_f64(&saved.forward(&x).unwrap());
        let x = common::tensor(&to_f64(&x), dtype);

        // From the file, without variables.
        let vb = VarBuilder::from_buffered_safetensors(std::fs::read(&path).unwrap(), dtype, &CPU).unwrap();
        let loaded = layer::<A>(&config::<A>(), vb).unwrap();
        let y = loaded.forward(&x).unwrap();
        assert!(!y.track_op());
        assert_close(A::NAME, &array(&y), &expected, 0.0);

        // Into variables.
        let mut vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, dtype, &CPU);
        let trained = layer::<A>(&config::<A>(), vb).unwrap();
        vars.load(&path).unwrap();
        // With running statistics and gradients there is no kernel.
        let tolerance = match (A::NAME, dtype) {
            ("DyReluNormalised", DType::F32) => 1e-6,
            ("DyReluNormalised", _) => 1e-14,
            _ => 0.0,
        };
        assert_close(
            A::NAME,
            &array(&trained.forward(&x).unwrap()),
            &expected,
            tolerance,
        );

        // And back, as a part of a model.
        let model = VarMap::new();
        let vb = VarBuilder::from_varmap(&model, dtype, &CPU);
        let part = layer::<A>(&config::<A>(), vb.pp("features.3.act")).unwrap();
        candle_nn::linear(2, 2, vb.pp("head")).unwrap();
        for (name, var) in model.data().lock().unwrap().iter() {
            if let Some(name) = name.strip_prefix("features.3.act.") {
                var.set(&vars.data().lock().unwrap()[name].copy().unwrap())
                    .unwrap();
            }
        }
        drop(part);
        model.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut back = ndarray_layer::<A, T>();
        back.load_tensors(&SafeTensors::deserialize(&bytes).unwrap(), "features.3.act.")
            .unwrap();
        assert_eq!(parameters_of(&back), parameters_of(&saved));

        // Alone; a file of candle does not tell the number of groups.
        if A::NEIGHBOURS.is_empty() {
            vars.save(&path).unwrap();
            let back = dyrelu::Layer::<A, T>::load_safetensors(&path).unwrap();
            assert_eq!(parameters_of(&back), parameters_of(&saved));
        }
    }
    fn check<A: DynamicActivation>() {
        check_type::<A, f32>(DType::F32);
        check_type::<A, f64>(DType::F64);
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DyShiftMax>();
    check::<SqueezeExcite>();
    check::<PRelu>();
    check::<Maxout>();
}

#[test]
fn tensors_that_are_missing_or_of_another_shape() {
    let ndarray = dyrelu::gallery::DyReluB::layer::<f32>(8).build().unwrap();
    let bytes = ndarray.to_safetensors().unwrap();
    let vb = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &CPU).unwrap();
    let error = layer::<DyReluB>(&LayerConfig::new(12), vb.clone())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("fc1.weight") && error.contains("[3, 12]") && error.contains("[2, 8]"),
        "{error}"
    );
    let error = layer::<DyReluB>(&LayerConfig::new(8), vb.pp("act"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("act.fc1.weight"), "{error}");
}

#[test]
fn matrices_may_be_those_of_convolutions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let layer_of = |trailing: &[usize]| {
        let ndarray = ndarray_layer::<DyReluC, f32>();
        let tensors = parameters_of(&ndarray).into_iter().map(|(name, value)| {
            let mut value = common::tensor(&value, DType::F32);
            if name.ends_with("weight") {
                let (plain, kernel) = (value.rank(), [value.dims(), trailing].concat());
                for _ in trailing {
                    value = value.unsqueeze(plain).unwrap();
                }
                value = value.broadcast_as(kernel).unwrap().contiguous().unwrap();
            }
            (format!("act.{name}"), value)
        });
        let tensors: common::Tensors = tensors.collect();
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let vb = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &CPU).unwrap();
        layer::<DyReluC>(&config::<DyReluC>(), vb.pp("act"))
    };
    let x = common::tensor(&to_f64(&x::<f32>()), DType::F32);
    let expected = ndarray_layer::<DyReluC, f32>()
        .forward(&self::x::<f32>())
        .unwrap();
    for trailing in [&[][..], &[1], &[1, 1], &[1, 1, 1]] {
        let layer = layer_of(trailing).unwrap();
        let shapes = layer.parameters().map(|(_, value)| value.rank());
        assert!(shapes.max() == Some(2));
        assert_close("y", &array(&layer.forward(&x).unwrap()), &to_f64(&expected), 0.0);
    }
    let error = layer_of(&[3, 3]).unwrap_err().to_string();
    assert!(
        error.contains("act.fc1.weight") && error.contains("[2, 8]") && error.contains("[2, 8, 3, 3]"),
        "{error}"
    );
}

/// The losses before and after some steps of an optimiser, for a small network that fits a parabola.
fn losses<A: DynamicActivation, O: Optimizer>(new: impl FnOnce(Vec<Var>) -> O) -> [f32; 2] {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
    let network = seq()
        .add(candle_nn::linear(2, 8, vb.pp("first")).unwrap())
        .add(layer::<A>(&config::<A>(), vb.pp("act")).unwrap())
        .add(candle_nn::linear(8, 1, vb.pp("second")).unwrap());
    // Candle's generator on the CPU has no seed.
    for (name, var) in vars.data().lock().unwrap().iter() {
        if ["first", "fc", "second"].iter().any(|layer| name.contains(layer)) {
            let numbers = (0..var.elem_count()).map(|i| 0.5 * f64::sin((i * i) as f64 * 0.7 + 1.0));
            let numbers = Tensor::from_iter(numbers, &CPU)
                .unwrap()
                .reshape(var.shape())
                .unwrap();
            var.set(&numbers.to_dtype(DType::F32).unwrap()).unwrap();
        }
    }
    let points = (0..64).flat_map(|i| [f64::from(i % 8) / 4.0 - 1.0, f64::from(i / 8) / 4.0 - 1.0]);
    let points = Tensor::from_iter(points, &CPU).unwrap().reshape((64, 2)).unwrap();
    let points = points.to_dtype(DType::F32).unwrap();
    let targets = points.sqr().unwrap().sum_keepdim(1).unwrap();
    let loss = || candle_nn::loss::mse(&network.forward(&points).unwrap(), &targets).unwrap();
    let before = loss().to_scalar().unwrap();
    let mut optimiser = new(vars.all_vars());
    for _ in 0..60 {
        optimiser.backward_step(&loss()).unwrap();
    }
    [before, loss().to_scalar().unwrap()]
}

#[test]
fn optimisers_make_the_loss_fall() {
    fn check<A: DynamicActivation>() {
        let [before, after] = losses::<A, _>(|vars| SGD::new(vars, 0.05).unwrap());
        assert!(after < 0.5 * before, "{} SGD: {before} to {after}", A::NAME);
        let parameters = ParamsAdamW {
            lr: 0.02,
            ..ParamsAdamW::default()
        };
        let [before, after] = losses::<A, _>(|vars| AdamW::new(vars, parameters).unwrap());
        assert!(after < 0.5 * before, "{} AdamW: {before} to {after}", A::NAME);
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyShiftMax>();
    check::<PRelu>();
    check::<Maxout>();
}
