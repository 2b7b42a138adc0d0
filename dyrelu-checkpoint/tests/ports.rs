//! Checkpoints with the names and orders of public implementations, from PyTorch (`tests/conventions`): found, loaded by each
//! engine's method, converted and back.

use dyrelu::safetensors::SafeTensors;
use dyrelu::{Convention, DynamicActivation, Layer, Report, Scalar, Sharing, dynamic_activation};
use dyrelu_checkpoint::{Change, Checkpoint, FoundActivation};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;
use std::path::PathBuf;

macro_rules! activations {
    ($($name:ident: $share:literal ($($argument:tt)*);)*) => {$(
        #[dynamic_activation(share = $share, $($argument)*)]
        struct $name;
    )*};
}

activations! {
    A2: "spatial+channel" (k = 2);
    B1: "spatial" (k = 1);
    B2: "spatial" (k = 2);
    B3: "spatial" (k = 3);
    C2: "none" (k = 2);
    C3: "none" (k = 3);
    Head: "spatial" (k = 2, squash = "2hard_sigmoid-1");
    HeadNoIntercept: "spatial" (k = 2, piece = |x, a| a * x, init(a = [1.0, 0.0]), squash = "2hard_sigmoid-1");
    HeadSpatial: "none" (k = 2, squash = "2hard_sigmoid-1", attention = "normalised");
}

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conventions"))
}

/// A line of the index.
struct Case(Value);

impl Case {
    fn all() -> Vec<Self> {
        let index = std::fs::read_to_string(directory().join("index.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&index).unwrap();
        assert!(cases.len() > 30, "{} cases", cases.len());
        cases.into_iter().map(Self).collect()
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn number(&self, name: &str) -> usize {
        self.0[name].as_u64().unwrap().try_into().unwrap()
    }

    fn file(&self, ending: &str) -> PathBuf {
        directory().join(format!("{}{ending}", self.text("file")))
    }

    fn convention(&self) -> Convention {
        self.text("convention").parse().unwrap()
    }

    fn coefficients(&self) -> usize {
        if self.0["intercept"].as_bool().unwrap() {
            2
        } else {
            1
        }
    }

    /// What stands before the prefix in the file of `torch.save`.
    fn entry(&self) -> String {
        match self.text("pth") {
            entry @ ("model" | "state_dict") => format!("{entry}."),
            _ => String::new(),
        }
    }

    /// The checkpoint as PyTorch's and as a safetensors file, each with the full prefix of the activation.
    fn checkpoints(&self) -> [(Checkpoint, String); 2] {
        let open = |ending| Checkpoint::open(self.file(ending)).unwrap();
        let prefix = self.text("prefix");
        [
            (open(".safetensors"), prefix.to_owned()),
            (open(".pth"), format!("{}{prefix}", self.entry())),
        ]
    }

    fn layer<A: DynamicActivation, T: Scalar>(&self) -> Layer<A, T> {
        let builder = A::layer(self.number("channels"));
        builder.hidden(self.number("hidden")).build().unwrap()
    }
}

/// Calls a generic function with the activation and the number type of a case.
macro_rules! with_types {
    ($case:expr, $function:ident($($argument:expr),*)) => {
        if $case.text("number") == "f64" {
            with_activation!($case, $function::<f64>($($argument),*))
        } else {
            with_activation!($case, $function::<f32>($($argument),*))
        }
    };
}

/// Calls a generic function with the activation of a case.
macro_rules! with_activation {
    ($case:expr, $function:ident::<$number:ty>($($argument:expr),*)) => {{
        let case = $case;
        let key = (case.text("convention"), case.text("mode"), case.number("k"), case.coefficients(), case.text("attention"));
        match key {
            ("seed" | "paper", "A", 2, 2, _) => $function::<A2, $number>($($argument),*),
            ("seed" | "paper", "B", 1, 2, _) => $function::<B1, $number>($($argument),*),
            ("seed" | "paper", "B", 2, 2, _) => $function::<B2, $number>($($argument),*),
            ("seed" | "paper", "B", 3, 2, _) => $function::<B3, $number>($($argument),*),
            ("seed", "C", 2, 2, _) => $function::<C2, $number>($($argument),*),
            ("seed", "C", 3, 2, _) => $function::<C3, $number>($($argument),*),
            ("dynamic-head", _, 2, 2, "normalised") => $function::<HeadSpatial, $number>($($argument),*),
            ("dynamic-head" | "mmdetection", _, 2, 2, _) => $function::<Head, $number>($($argument),*),
            ("dynamic-head", _, 2, 1, _) => $function::<HeadNoIntercept, $number>($($argument),*),
            other => panic!("no activation for {other:?}"),
        }
    }};
}

fn read(tensors: &SafeTensors<'_>, name: &str) -> ArrayD<f64> {
    let tensor = tensors.tensor(name).unwrap();
    let values = match tensor.dtype() {
        dyrelu::safetensors::Dtype::F64 => tensor.data().chunks_exact(8).map(f64::read_le).collect(),
        dyrelu::safetensors::Dtype::F32 => tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::read_le(bytes).into())
            .collect(),
        other => panic!("{name} is {other}"),
    };
    ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).unwrap()
}

/// The layer with the tensors of a checkpoint must compute what PyTorch's module computes.
fn check<A: DynamicActivation, T: Scalar>(
    case: &Case,
    convention: Convention,
    checkpoint: &Checkpoint,
    prefix: &str,
) -> Report {
    let mut layer = case.layer::<A, T>();
    let report = layer
        .load_tensors_as(convention, &checkpoint.tensors(), prefix)
        .unwrap_or_else(|error| panic!("{prefix}: {error}"));
    let io = Checkpoint::open(case.file("_io.safetensors")).unwrap();
    let [x, expected] = ["x", "y"].map(|name| read(&io.tensors(), &format!("{}{name}", case.text("prefix"))));
    let y = layer.forward(&x.mapv(T::from_f64)).unwrap().mapv(T::to_f64);
    let scale = expected.iter().fold(1.0, |scale: f64, y| scale.max(y.abs()));
    let difference = (&y - &expected).iter().fold(0.0, |max: f64, d| max.max(d.abs()));
    let tolerance = if case.text("number") == "f64" { 1e-12 } else { 1e-6 };
    assert!(
        difference <= tolerance * scale,
        "{} {prefix}: {difference:e} of {scale}",
        case.text("file")
    );
    report
}

/// By the names of a convention, from both kinds of files, all tensors under the prefix and no others are used.
#[test]
fn pytorch_checkpoints_give_pytorchs_numbers() {
    for case in Case::all() {
        for (checkpoint, prefix) in case.checkpoints() {
            let convention = case.convention();
            let report = with_types!(&case, check(&case, convention, &checkpoint, &prefix));
            let tensors = checkpoint.tensors();
            let (under, others): (Vec<_>, Vec<_>) = tensors
                .names()
                .into_iter()
                .partition(|name| name.starts_with(&prefix));
            let counts = under
                .iter()
                .filter(|name| name.ends_with("num_batches_tracked"))
                .count();
            assert_eq!(report.used.len(), under.len() - counts, "{report}");
            assert_eq!(report.ignored.len(), others.len() + counts, "{report}");
            assert!(!others.is_empty() && report.problems.is_empty(), "{report}");
        }
    }
}

/// Both kinds of files have the same tensors, and in them the activations are found.
#[test]
fn activations_are_found_in_whole_networks() {
    for case in Case::all() {
        for (checkpoint, prefix) in case.checkpoints() {
            let found = checkpoint.activations(case.coefficients());
            let expected = Case::all()
                .iter()
                .filter(|other| other.text("file") == case.text("file"))
                .count();
            assert_eq!(found.len(), expected, "{found:?}");
            let activation = found.iter().find(|found| found.prefix == prefix).unwrap();
            let sharing = match (case.text("mode"), case.text("attention")) {
                (_, "normalised") | ("C", _) => Sharing::Unshared,
                ("A", _) => Sharing::SpatialAndChannel,
                _ => Sharing::Spatial,
            };
            let convention = match case.convention() {
                Convention::PAPER => Convention::NATIVE,
                other => other,
            };
            assert_eq!(
                *activation,
                FoundActivation {
                    prefix: prefix.clone(),
                    convention,
                    sharing,
                    normalised: case.text("attention") == "normalised",
                    channels: case.number("channels"),
                    hidden: case.number("hidden"),
                    coefficients: case.coefficients(),
                    pieces: case.number("k"),
                    dtype: activation.dtype,
                }
            );
        }
        let [(safetensors, _), (pth, _)] = case.checkpoints();
        let (safetensors, pth) = (safetensors.tensors(), pth.tensors());
        assert_eq!(safetensors.len(), pth.len());
        for (name, tensor) in safetensors.iter() {
            assert_eq!(
                pth.tensor(&format!("{}{name}", case.entry())).unwrap(),
                tensor,
                "{name}"
            );
        }
    }
}

/// The activations of a checkpoint, in the convention that it was made in.
fn activations(case: &Case, checkpoint: &Checkpoint) -> Vec<FoundActivation> {
    checkpoint.activations_as(case.convention(), case.coefficients())
}

/// In every other convention a checkpoint gives the same numbers, and the way back the same bytes.
#[test]
fn conversions_compute_the_same_and_come_back() {
    for case in Case::all() {
        let checkpoints = case.checkpoints();
        let conversions = checkpoints
            .iter()
            .flat_map(|checkpoint| Convention::ALL.map(|to| (checkpoint, to)));
        for ((checkpoint, prefix), to) in conversions {
            let found = activations(&case, checkpoint);
            let has_attention = found.iter().any(|found| found.sharing == Sharing::Unshared);
            let is_normalised = found.iter().any(|found| found.normalised);
            let conversion = checkpoint.convert(&found, to);
            if to == Convention::MMDETECTION && has_attention || to == Convention::SEED && is_normalised {
                let message = conversion.unwrap_err().to_string();
                assert!(message.starts_with(&format!(
                    "the convention `{}` has no name for the tensor `",
                    to.name
                )));
                continue;
            }
            let conversion = conversion.unwrap();
            let converted = &conversion.checkpoint;
            with_types!(&case, check(&case, to, converted, prefix));
            // By its new names the file has the same activations.
            let again = converted.activations_as(to, case.coefficients());
            let expected = found.iter().cloned().map(|activation| FoundActivation {
                convention: to,
                ..activation
            });
            assert_eq!(again, expected.collect::<Vec<_>>());
            if to != Convention::PAPER {
                assert_eq!(converted.activations(case.coefficients()), again);
            }
            let back = converted.convert(&again, case.convention()).unwrap();
            let (back, checkpoint) = (back.checkpoint.tensors(), checkpoint.tensors());
            assert_eq!(back.len(), checkpoint.len(), "{to:?}");
            for (name, tensor) in checkpoint.iter() {
                let same = back.tensor(name).unwrap();
                assert_eq!(
                    (same.dtype(), same.data()),
                    (tensor.dtype(), tensor.data()),
                    "{name}"
                );
                // Those of one dimension come back as those of two.
                assert!(
                    same.shape() == tensor.shape() || name.ends_with("conv1x1.weight"),
                    "{name}: {:?}",
                    same.shape()
                );
            }
        }
    }
}

/// The changes are those that the tool prints.
#[test]
fn changes_are_told() {
    let case = Case::all()
        .into_iter()
        .find(|case| case.text("file") == "seed_f32")
        .unwrap();
    let checkpoint = &case.checkpoints()[0].0;
    let mut found = activations(&case, checkpoint);
    found.truncate(1);
    let changes = checkpoint
        .convert(&found, Convention::DYNAMIC_HEAD)
        .unwrap()
        .changes;
    let named = |old: &str, new: &str, reordered| Change::Named {
        old: format!("features.2.act.{old}"),
        new: format!("features.2.act.{new}"),
        reordered,
    };
    let left_out = |old: &str| Change::LeftOut {
        old: format!("features.2.act.{old}"),
    };
    assert_eq!(
        changes,
        [
            named("fc1.weight", "fc.0.weight", false),
            named("fc1.bias", "fc.0.bias", false),
            named("fc2.weight", "fc.2.weight", true),
            named("fc2.bias", "fc.2.bias", true),
            left_out("lambdas"),
            left_out("init_v"),
        ]
    );
}

/// Constants that are not those of DY-ReLU stay, whatever the convention, and so do types that differ and what a safetensors file
/// says of itself.
#[test]
fn nothing_is_lost() {
    let case = Case::all()
        .into_iter()
        .find(|case| case.text("file") == "seed_c_f32")
        .unwrap();
    let (checkpoint, prefix) = &case.checkpoints()[0];
    let tensors = checkpoint.tensors();
    let lambdas: Vec<u8> = [2.0_f64, 2.0, 0.5, 0.5]
        .into_iter()
        .flat_map(f64::to_le_bytes)
        .collect();
    let name = format!("{prefix}lambdas");
    let changed = tensors.iter().map(|(tensor, view)| {
        let view = if tensor == name {
            dyrelu::safetensors::tensor::TensorView::new(dyrelu::safetensors::Dtype::F64, vec![4], &lambdas)
                .unwrap()
        } else {
            view
        };
        (tensor, view)
    });
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = dyrelu::safetensors::serialize(changed, Some(metadata)).unwrap();
    let checkpoint = Checkpoint::from_safetensors(bytes).unwrap();
    let found = checkpoint.activations(2);
    for to in [Convention::NATIVE, Convention::PAPER, Convention::DYNAMIC_HEAD] {
        let converted = checkpoint.convert(&found, to).unwrap().checkpoint;
        assert!(converted.tensors().tensor(&name).unwrap().data() == lambdas);
        let back = converted
            .convert(&converted.activations_as(to, 2), Convention::SEED)
            .unwrap()
            .checkpoint;
        // The convolution of one dimension comes back as one of two.
        let conv = "features.3.act.conv1x1.weight";
        let (old, new) = (checkpoint.tensors(), back.tensors());
        let mut names = old.names();
        names.retain(|name| *name != conv);
        assert_eq!(old.len(), new.len());
        assert!(
            names
                .iter()
                .all(|name| old.tensor(name).unwrap() == new.tensor(name).unwrap())
        );
        let (_, header) = SafeTensors::read_metadata(back.as_safetensors()).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
    }
}

/// A layer with options of its own goes through another convention and comes back as it was.
#[test]
fn options_of_a_layer_stay() {
    let layer = C2::layer::<f64>(8).temperature(2.0).build().unwrap();
    let file = Checkpoint::from_safetensors(layer.to_safetensors().unwrap()).unwrap();
    let seed = file
        .convert(&file.activations(2), Convention::SEED)
        .unwrap()
        .checkpoint;
    let back = seed
        .convert(&seed.activations(2), Convention::NATIVE)
        .unwrap()
        .checkpoint;
    assert_eq!(back, file);
    let temperature = Layer::<C2, f64>::from_safetensors(back.as_safetensors())
        .unwrap()
        .temperature();
    assert!((temperature - 2.0).abs() < f64::EPSILON);
}

/// Perceptrons, Squeeze-and-Excitation and numbers that are no floats are no dynamic activations.
#[test]
fn other_modules_are_not_found() {
    use dyrelu::safetensors::{Dtype, serialize, tensor::TensorView};
    let zeros = vec![0; 1 << 16];
    let found = |dtype: Dtype, [inputs, hidden, outputs]: [usize; 3], coefficients: usize| {
        let view = |shape: &[usize]| {
            let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
            TensorView::new(dtype, shape.into(), &zeros[..bytes]).unwrap()
        };
        let tensors = [
            ("mlp.fc1.weight", view(&[hidden, inputs])),
            ("mlp.fc1.bias", view(&[hidden])),
            ("mlp.fc2.weight", view(&[outputs, hidden])),
            ("mlp.fc2.bias", view(&[outputs])),
        ];
        let checkpoint = Checkpoint::from_safetensors(serialize(tensors, None).unwrap()).unwrap();
        checkpoint.activations(coefficients).len()
    };
    assert_eq!(found(Dtype::F32, [16, 4, 64], 2), 1);
    assert_eq!(found(Dtype::F32, [16, 64, 16], 2), 0, "a transformer's");
    assert_eq!(found(Dtype::F32, [16, 4, 16], 2), 0, "Squeeze-and-Excitation");
    assert_eq!(
        found(Dtype::F32, [16, 32, 8], 2),
        0,
        "a classifier with many units"
    );
    assert_eq!(found(Dtype::I8, [16, 4, 64], 2), 0, "integers");
    assert_eq!(found(Dtype::F32, [16, 4, 64], 0), 0);
    assert_eq!(found(Dtype::F32, [16, 4, 64], usize::MAX), 0);
}
