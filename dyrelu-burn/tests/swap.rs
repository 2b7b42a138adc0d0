//! A network with ReLU that PyTorch has trained: its weights in Burn, then dynamic activations in the place of ReLU.

mod common;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::{
    ApplyError, ApplyResult, BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    SafetensorsStore, SafetensorsStoreError,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use common::{Arrays, array, assert_close, parameters};
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DyReluNormalised};
use dyrelu::safetensors::tensor::TensorView;
use dyrelu::safetensors::{SafeTensors, serialize};
use dyrelu_burn::{Activation, Layer, LayerConfig};
use ndarray::ArrayD;
use std::path::PathBuf;

/// A residual network with torchvision's names.
#[derive(Module, Debug)]
struct ResNet<M: Activation> {
    conv1: Conv2d,
    bn1: BatchNorm,
    act: M,
    layer1: Vec<BasicBlock<M>>,
    layer2: Vec<BasicBlock<M>>,
    fc: Linear,
}

/// With an activation for each place where the original uses its only ReLU.
#[derive(Module, Debug)]
struct BasicBlock<M: Activation> {
    conv1: Conv2d,
    bn1: BatchNorm,
    act1: M,
    conv2: Conv2d,
    bn2: BatchNorm,
    act2: M,
    downsample: Option<Downsample>,
}

#[derive(Module, Debug)]
struct Downsample {
    conv: Conv2d,
    bn: BatchNorm,
}

impl<M: Activation> ResNet<M> {
    /// `config` for another number of channels in each place.
    fn new(config: &LayerConfig, device: &Device) -> Self {
        let block = |channels, stride| BasicBlock::new(channels, stride, config, device);
        Self {
            conv1: conv([3, 8], 3, 1, device),
            bn1: BatchNormConfig::new(8).init(device),
            act: M::init(&with_channels(config, 8), device),
            layer1: vec![block([8, 8], 1)],
            layer2: vec![block([8, 16], 2), block([16, 16], 1)],
            fc: LinearConfig::new(16, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = self.act.forward(self.bn1.forward(self.conv1.forward(x)));
        for block in self.layer1.iter().chain(&self.layer2) {
            x = block.forward(x);
        }
        self.fc.forward(x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2))
    }
}

impl<M: Activation> BasicBlock<M> {
    fn new(channels: [usize; 2], stride: usize, config: &LayerConfig, device: &Device) -> Self {
        let [inputs, outputs] = channels;
        let norm = || BatchNormConfig::new(outputs).init(device);
        let activation = || M::init(&with_channels(config, outputs), device);
        Self {
            conv1: conv(channels, 3, stride, device),
            bn1: norm(),
            act1: activation(),
            conv2: conv([outputs, outputs], 3, 1, device),
            bn2: norm(),
            act2: activation(),
            downsample: (stride != 1 || inputs != outputs).then(|| Downsample {
                conv: conv(channels, 1, stride, device),
                bn: norm(),
            }),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.act1.forward(self.bn1.forward(self.conv1.forward(x.clone())));
        let y = self.bn2.forward(self.conv2.forward(y));
        let shortcut = match &self.downsample {
            Some(Downsample { conv, bn }) => bn.forward(conv.forward(x)),
            None => x,
        };
        self.act2.forward(y + shortcut)
    }
}

fn conv(channels: [usize; 2], size: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = size / 2;
    Conv2dConfig::new(channels, [size, size])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(false)
        .init(device)
}

fn with_channels(config: &LayerConfig, channels: usize) -> LayerConfig {
    LayerConfig {
        channels,
        ..config.clone()
    }
}

/// For any number of channels.
fn config() -> LayerConfig {
    LayerConfig::new(1).with_zero_init(true)
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/swap")
        .join(name)
}

fn bytes() -> Vec<u8> {
    std::fs::read(path("network.safetensors")).unwrap()
}

/// What translates between PyTorch's names and shapes and Burn's.
fn from_pytorch(store: SafetensorsStore) -> SafetensorsStore {
    store
        .with_from_adapter(PyTorchToBurnAdapter)
        .with_key_remapping(r"downsample\.0\.", "downsample.conv.")
        .with_key_remapping(r"downsample\.1\.", "downsample.bn.")
}

/// The trained network with its activations replaced, and what loading reports.
fn swapped<M: Activation>(config: &LayerConfig, device: &Device) -> (ResNet<M>, ApplyResult) {
    let mut network = ResNet::new(config, device);
    let store = SafetensorsStore::from_file(path("network.safetensors"));
    let report = network.load_from(&mut from_pytorch(store).allow_partial(true));
    (network, report.unwrap())
}

/// A tensor of the file with images and logits.
fn given<const D: usize>(name: &str, device: &Device) -> Tensor<D> {
    let bytes = std::fs::read(path("io.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let numbers = view
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    Tensor::from_data(
        TensorData::new(numbers.collect::<Vec<f32>>(), view.shape().to_vec()),
        device,
    )
}

fn logits<M: Activation>(network: &ResNet<M>) -> ArrayD<f64> {
    let network = network.valid();
    let device = network.devices().remove(0);
    array(network.forward(given("x", &device)))
}

fn expected() -> ArrayD<f64> {
    array(given::<2>("logits", &Device::flex()))
}

/// The paths of activations: `act`, `layer2.1.act1`, …
fn activations() -> Vec<String> {
    let blocks = ["layer1.0", "layer2.0", "layer2.1"];
    let in_blocks = blocks
        .iter()
        .flat_map(|block| ["act1", "act2"].map(|act| format!("{block}.{act}")));
    std::iter::once("act".to_owned()).chain(in_blocks).collect()
}

#[test]
fn with_relu_the_logits_are_those_of_pytorch() {
    let device = Device::flex();
    let mut network: ResNet<Relu> = ResNet::new(&config(), &device);
    // Without partial loading: nothing may be missing.
    let mut store = from_pytorch(SafetensorsStore::from_file(path("network.safetensors")));
    let report = network.load_from(&mut store).unwrap();
    assert_eq!(report.applied.len(), 42);
    assert!(report.errors.is_empty() && report.missing.is_empty() && report.skipped.is_empty());
    assert_eq!(report.unused.len(), 8);
    assert!(
        report
            .unused
            .iter()
            .all(|name| name.ends_with(".num_batches_tracked")),
        "{report}"
    );
    assert_close("logits", &logits(&network), &expected(), 1e-5);
}

#[test]
fn missing_are_the_parameters_of_the_activations_and_no_others() {
    let (_, report) = swapped::<Layer<DyReluC>>(&config(), &Device::flex());
    let names = [
        "attention.bias",
        "attention.weight",
        "fc1.bias",
        "fc1.weight",
        "fc2.bias",
        "fc2.weight",
    ];
    let expected = activations()
        .into_iter()
        .flat_map(|act| names.map(|name| format!("{act}.{name}")));
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    let missing: Vec<_> = report.missing.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(missing, expected);
    assert_eq!(report.applied.len(), 42);
}

/// The logits of the swapped network over those of the original one; the same number for all of them.
fn check_start<M: Activation>(config: &LayerConfig) {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let (network, _) = swapped::<M>(config, &device);
        assert_close("logits", &logits(&network), &expected(), 1e-5);
    }
}

#[test]
fn modes_a_and_b_begin_as_relu() {
    check_start::<Layer<DyReluA>>(&config());
    check_start::<Layer<DyReluB>>(&config());
}

#[test]
fn mode_c_begins_as_relu_when_its_average_attention_is_one() {
    let one = config().with_average_attention(Some(1.0)).with_cut_off(Some(3.0));
    check_start::<Layer<DyReluC>>(&one);
    check_start::<Layer<DyReluNormalised>>(&one);

    // With the paper's average of 1/3 each activation scales, so the logits are others.
    let device = Device::flex();
    let x = Tensor::<3>::from_data([[[1.0, -2.0, 4.0]]], &device);
    let act: Layer<DyReluC> = config().init(&device);
    assert_close(
        "relu / 3",
        &array(act.forward(x.clone())),
        &array(burn::tensor::activation::relu(x) / 3.0),
        1e-6,
    );
    let (network, _) = swapped::<Layer<DyReluC>>(&config(), &device);
    let difference = (logits(&network) - expected()).mapv(f64::abs);
    assert!(difference.iter().any(|difference| *difference > 0.1));
}

#[test]
fn without_zero_init_the_swapped_network_begins_elsewhere() {
    let (network, _) = swapped::<Layer<DyReluB>>(&LayerConfig::new(1), &Device::flex());
    let difference = (logits(&network) - expected()).mapv(f64::abs);
    assert!(difference.iter().any(|difference| *difference > 0.1));
}

/// The network after some steps of stochastic gradient descent on the given images, and the losses before each.
fn tuned<M: Activation>(mut network: ResNet<M>, steps: usize) -> (ResNet<M>, Vec<f64>) {
    let device = network.devices().remove(0);
    let labels = Tensor::<1, Int>::from_data([7, 2, 9, 1, 9, 4], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer = SgdConfig::new().init();
    let mut losses = vec![];
    for _ in 0..steps {
        let loss = loss.forward(network.forward(given("x", &device)), labels.clone());
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        losses.push(loss.into_scalar());
        network = optimizer.step(0.05, network, grads);
    }
    (network, losses)
}

/// Asserts that all parameters and running statistics have moved, but for those. (`valid` brings statistics up to date.)
#[track_caller]
fn assert_moved(before: &Arrays, after: &Arrays, but_for: &[&str]) {
    for (name, before) in before {
        let stays = but_for.iter().any(|end| name.ends_with(end));
        assert_eq!(*before == after[name], stays, "{name}");
    }
}

#[test]
fn gradients_reach_every_parameter() {
    let device = Device::flex().autodiff();
    // So many hidden units that some are active.
    let config = LayerConfig::new(1).with_hidden(Some(16));
    let (start, _) = swapped::<Layer<DyReluB>>(&config, &device);
    let before = parameters(&start);
    assert_moved(&before, &parameters(&tuned(start, 1).0.valid()), &[]);

    let (start, _) = swapped::<Layer<DyReluB>>(&config.with_zero_init(true), &device);
    let before = parameters(&start);
    // As the zeros of fc2 multiply the gradient of fc1, that one moves from the second step on.
    let (network, _) = tuned(start.clone(), 1);
    let fc1: Vec<_> = activations()
        .into_iter()
        .flat_map(|act| ["weight", "bias"].map(|name| format!("{act}.fc1.{name}")))
        .collect();
    let fc1: Vec<_> = fc1.iter().map(String::as_str).collect();
    assert_moved(&before, &parameters(&network.valid()), &fc1);
    let (network, losses) = tuned(start, 12);
    assert_moved(&before, &parameters(&network.valid()), &[]);
    assert!(losses[11] < losses[0], "{losses:?}");
}

#[test]
fn a_swapped_and_trained_network_keeps_its_logits_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let (network, _) = swapped::<Layer<DyReluB>>(&config(), &device.clone().autodiff());
    let network = tuned(network, 2).0.valid();

    let file = directory.path().join("swapped.safetensors");
    network
        .save_into(&mut SafetensorsStore::from_file(&file))
        .unwrap();
    let mut loaded: ResNet<Layer<DyReluB>> = ResNet::new(&LayerConfig::new(1), &device);
    let report = loaded.load_from(&mut SafetensorsStore::from_file(&file)).unwrap();
    assert!(report.unused.is_empty(), "{report}");
    assert_eq!(logits(&loaded), logits(&network));

    // With PyTorch's names and shapes, for PyTorch.
    let file = directory.path().join("for_pytorch.safetensors");
    let mut store = SafetensorsStore::from_file(&file)
        .with_to_adapter(BurnToPyTorchAdapter)
        .with_key_remapping(r"downsample\.conv\.", "downsample.0.")
        .with_key_remapping(r"downsample\.bn\.", "downsample.1.");
    network.save_into(&mut store).unwrap();
    let mut loaded: ResNet<Layer<DyReluB>> = ResNet::new(&LayerConfig::new(1), &device);
    let mut store = from_pytorch(SafetensorsStore::from_file(&file));
    let names = store.keys().unwrap();
    assert!(
        names.contains(&"layer2.0.act1.fc2.weight".to_owned()),
        "{names:?}"
    );
    loaded.load_from(&mut store).unwrap();
    assert_eq!(logits(&loaded), logits(&network));
}

/// The file with each tensor as it is, or in another shape, or not at all.
fn changed(change: impl Fn(&str, Vec<usize>) -> Option<Vec<usize>>) -> SafetensorsStore {
    let bytes = bytes();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.iter().filter_map(|(name, view)| {
        let shape = change(name, view.shape().to_vec())?;
        Some((name, TensorView::new(view.dtype(), shape, view.data()).unwrap()))
    });
    from_pytorch(SafetensorsStore::from_bytes(Some(
        serialize(tensors, None).unwrap(),
    )))
}

#[test]
fn a_missing_tensor_is_named() {
    let store = || changed(|name, shape| (name != "layer2.1.conv2.weight").then_some(shape));
    let mut network: ResNet<Relu> = ResNet::new(&config(), &Device::flex());
    match network.load_from(&mut store()) {
        Err(SafetensorsStoreError::TensorNotFound(report)) => {
            assert!(report.contains("layer2.1.conv2.weight"), "{report}");
        }
        other => panic!("{other:?}"),
    }
    // Where loading is partial, look at what is missing.
    let mut network: ResNet<Layer<DyReluB>> = ResNet::new(&config(), &Device::flex());
    let report = network.load_from(&mut store().allow_partial(true)).unwrap();
    let missing = report.missing.iter().map(|(path, _)| path);
    let missing: Vec<_> = missing
        .filter(|path| !path.split('.').any(|part| part.starts_with("act")))
        .collect();
    assert_eq!(missing, ["layer2.1.conv2.weight"]);
}

#[test]
fn a_wrong_shape_is_named() {
    let store = || {
        changed(|name, shape| {
            let wrong = name == "layer1.0.conv1.weight";
            Some(if wrong { vec![8, 4, 6, 3] } else { shape })
        })
        .allow_partial(true)
    };
    let mut network: ResNet<Layer<DyReluB>> = ResNet::new(&config(), &Device::flex());
    match network.load_from(&mut store()) {
        Err(SafetensorsStoreError::ValidationFailed(message)) => assert!(
            message.contains("layer1.0.conv1.weight")
                && message.contains("[8, 8, 3, 3]")
                && message.contains("[8, 4, 6, 3]"),
            "{message}"
        ),
        other => panic!("{other:?}"),
    }
    // The same as data.
    let report = network.load_from(&mut store().validate(false)).unwrap();
    match &*report.errors {
        [
            ApplyError::ShapeMismatch {
                path,
                expected,
                found,
            },
        ] => {
            assert_eq!(path, "layer1.0.conv1.weight");
            assert_eq!(expected.as_slice(), [8, 8, 3, 3]);
            assert_eq!(found.as_slice(), [8, 4, 6, 3]);
        }
        other => panic!("{other:?}"),
    }
}
