//! Layers as modules of Burn: what one does with a model.

mod common;

use burn::config::{Config, config_to_json};
use burn::module::{Lora, Module, ParamGroup, QLora, Quantizer};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{PRelu, Relu};
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::quantization::{Calibration, QuantScheme, QuantValue};
use burn::tensor::{DType, Device, Distribution, Tensor};
use common::{array, assert_close, gradients, parameters, parameters_of};
use dyrelu::gallery::{
    ARelu, AconC, DyReluA, DyReluB, DyReluC, DyReluNormalised, DyShiftMax, MetaAcon, PRelu as OwnPRelu,
    SqueezeExcite,
};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{DynamicActivation, LayerBuilder, Scalar, Sharing, dynamic_activation};
use dyrelu_burn::{Activation, Layer, LayerConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[dynamic_activation(k = 2, share = "spatial", hyper(context = "external"))]
struct Conditioned;

#[derive(Module, Debug)]
struct Block<M: Activation> {
    conv: Conv2d,
    act: M,
}

impl<M: Activation> Block<M> {
    fn new(config: &LayerConfig, device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([3, config.channels], [3, 3]).init(device),
            act: M::init(config, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.act.forward(self.conv.forward(x))
    }
}

fn images(device: &Device) -> Tensor<4> {
    Tensor::random([4, 3, 8, 8], Distribution::Normal(0.0, 1.0), device)
}

fn features(device: &Device) -> Tensor<4> {
    Tensor::random([3, 16, 5, 7], Distribution::Normal(0.0, 1.0), device)
}

fn training() -> Device {
    Device::flex().autodiff()
}

/// Calls it for one activation of each kind.
macro_rules! for_each_kind {
    ($check:ident) => {
        $check::<DyReluA>();
        $check::<DyReluB>();
        $check::<DyReluC>();
        $check::<DyReluNormalised>();
        $check::<DyShiftMax>();
        $check::<MetaAcon>();
        $check::<AconC>();
        $check::<ARelu>();
        $check::<SqueezeExcite>();
    };
}

/// For 16 channels.
fn config<A: DynamicActivation>() -> LayerConfig {
    LayerConfig::new(16).with_groups((!A::NEIGHBOURS.is_empty()).then_some(4))
}

/// The same for a layer of the ndarray engine.
fn builder<A: DynamicActivation>() -> LayerBuilder<A, f32> {
    let builder = A::layer::<f32>(16);
    if A::NEIGHBOURS.is_empty() {
        builder
    } else {
        builder.groups(4)
    }
}

/// A layer whose running statistics, if there are any, are no longer those of the beginning.
fn used<A: DynamicActivation>() -> Layer<A> {
    let layer: Layer<A> = config::<A>().init(&training());
    let _ = layer.forward(features(&training()));
    layer.valid()
}

#[test]
fn a_model_shows_its_activations() {
    let block: Block<Layer<DyReluB>> = Block::new(&LayerConfig::new(16), &Device::flex());
    assert_eq!(
        block.to_string(),
        "Block {\n  conv: Conv2d {ch_in: 3, ch_out: 16, stride: [1, 1], kernel_size: [3, 3], dilation: [1, 1], \
         groups: 1, padding: Valid, params: 448}\n  act: DyReluB {channels: 16, hidden: 4, params: 388}\n  \
         params: 836\n}"
    );
    let layer: Layer<AconC> = LayerConfig::new(16).init(&Device::flex());
    assert_eq!(layer.to_string(), "AconC {channels: 16, params: 48}");
}

#[test]
fn parameters_are_counted() {
    fn check<A: DynamicActivation>() {
        let layer: Layer<A> = config::<A>().init(&Device::flex());
        let statistics = if layer.to_string().contains("Normalised") {
            2
        } else {
            0
        };
        let expected = builder::<A>().cost(1).unwrap().parameters;
        assert_eq!(
            Module::num_params(&layer) as u64,
            expected as u64 + statistics,
            "{layer}"
        );
    }
    for_each_kind!(check);
}

#[test]
fn other_activations_of_a_model_are_those_of_burn() {
    let device = Device::flex();
    let relu: Block<Relu> = Block::new(&LayerConfig::new(16), &device);
    assert_eq!(relu.num_params(), 448);
    let prelu: Block<PRelu> = Block::new(&LayerConfig::new(16), &device);
    assert_eq!(prelu.num_params(), 448 + 16);
    // Ours computes the same.
    let own: Layer<OwnPRelu> = LayerConfig::new(16).init(&device);
    let x = features(&device);
    assert_close(
        "PReLU",
        &array(own.forward(x.clone())),
        &array(Activation::forward(&prelu.act, x)),
        1e-6,
    );
}

#[test]
fn a_record_keeps_everything() {
    fn check<A: DynamicActivation>() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("layer.bpk");
        let layer = used::<A>();
        layer.clone().save_file(&file).unwrap();
        let loaded: Layer<A> = config::<A>().init(&Device::flex());
        let loaded = loaded.load_file(&file);
        assert_eq!(parameters(&loaded), parameters(&layer));
        let x = features(&Device::flex());
        assert_eq!(array(loaded.forward(x.clone())), array(layer.forward(x)));
    }
    for_each_kind!(check);

    let small: Layer<DyReluB> = LayerConfig::new(8).init(&Device::flex());
    let wrong = used::<DyReluB>().try_load_record(small.into_record());
    let message = wrong.unwrap_err().to_string();
    assert!(message.contains("fc1.weight"), "{message}");
}

#[test]
fn files_of_the_ndarray_engine_load() {
    fn check<A: DynamicActivation>() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("layer.safetensors");
        let ours = builder::<A>().seed(3).build().unwrap();
        ours.save_safetensors(&file).unwrap();
        let mut layer: Layer<A> = config::<A>().init(&Device::flex());
        let report = layer.load_from(&mut SafetensorsStore::from_file(&file)).unwrap();
        assert!(report.unused.is_empty(), "{report}");
        assert_eq!(parameters(&layer), parameters_of(&ours));
    }
    for_each_kind!(check);
}

#[test]
fn the_ndarray_engine_loads_files_of_burn() {
    fn check<A: DynamicActivation>() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("layer.safetensors");
        let layer = used::<A>();
        layer.save_into(&mut SafetensorsStore::from_file(&file)).unwrap();
        let mut ours = builder::<A>().build().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        ours.load_tensors(&SafeTensors::deserialize(&bytes).unwrap(), "")
            .unwrap();
        assert_eq!(parameters_of(&ours), parameters(&layer));
        // Without options, where the tensors tell everything.
        match dyrelu::Layer::<A, f32>::load_safetensors(&file) {
            Ok(ours) => assert_eq!(parameters_of(&ours), parameters(&layer)),
            Err(error) => assert!(["ARelu", "DyShiftMax"].contains(&A::NAME), "{error}"),
        }
        let x = features(&Device::flex());
        let expected = array(layer.forward(x.clone()));
        let y = ours.forward(&array(x).mapv(<f32 as Scalar>::from_f64)).unwrap();
        assert_close("y", &y.mapv(f64::from), &expected, 1e-6);
    }
    for_each_kind!(check);
}

#[test]
fn a_file_of_burn_does_not_tell_the_options() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("layer.safetensors");
    let config = LayerConfig::new(16).with_temperature(Some(3.0));
    let layer: Layer<DyReluC> = config.init(&Device::flex());
    let save = |store: SafetensorsStore| layer.save_into(&mut store.overwrite(true)).unwrap();
    let temperature = || {
        let ours = dyrelu::Layer::<DyReluC, f32>::load_safetensors(&file).unwrap();
        ours.temperature().to_string()
    };
    save(SafetensorsStore::from_file(&file));
    assert_eq!(temperature(), "10");
    // Unless they are written.
    save(
        SafetensorsStore::from_file(&file)
            .clear_metadata()
            .metadata("options", "temperature=3"),
    );
    assert_eq!(temperature(), "3");
}

#[test]
fn options_are_a_configuration() {
    let config = LayerConfig::new(24)
        .with_reduction(8)
        .with_at_least(4)
        .with_divisible_by(4)
        .with_temperature(Some(30.0))
        .with_zero_init(true);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    config.save(&file).unwrap();
    assert_eq!(LayerConfig::load(&file).unwrap(), config);
    assert!(config_to_json(&config).contains("\"zero_init\": true"));

    let layer: Layer<DyReluC> = config.init(&Device::flex());
    assert_eq!(layer.config(), &config);
    let error = LayerConfig::new(24)
        .with_temperature(Some(-1.0))
        .try_init::<DyReluC>(&Device::flex())
        .unwrap_err();
    assert!(error.to_string().contains("temperature"), "{error}");
}

#[test]
fn zero_init_makes_coefficients_static() {
    fn check<A: DynamicActivation>() {
        let device = Device::flex();
        let layer: Layer<A> = config::<A>().with_zero_init(true).init(&device);
        let [one, other] = [0, 1].map(|_| array(layer.coefficients(features(&device))));
        assert_eq!(one, other);
        let attention = layer.attention(features(&device));
        assert_eq!(attention.is_some(), A::SHARING == Sharing::Unshared);
        if let Some(attention) = attention {
            let expected = Tensor::<2>::full(attention.dims(), 1.0 / 3.0, &device);
            assert_close("attention", &array(attention), &array(expected), 1e-6);
        }
    }
    for_each_kind!(check);
}

#[test]
fn a_device_moves_the_layer_with_it() {
    let layer = used::<DyReluNormalised>();
    let x = features(&Device::flex());
    let forked = layer.clone().fork(&Device::flex());
    let moved = layer.clone().to_device(&Device::flex());
    assert_eq!(layer.devices(), [Device::flex()]);
    for other in [forked, moved] {
        assert_eq!(parameters(&other), parameters(&layer));
        assert_eq!(array(other.forward(x.clone())), array(layer.forward(x.clone())));
    }
}

#[test]
fn gradients_follow_the_state_of_the_module() {
    let device = training();
    let count = |layer: &Layer<DyReluB>| {
        let y = layer.forward(features(&device).require_grad());
        gradients(layer, &y.sum().backward()).len()
    };
    let layer: Layer<DyReluB> = LayerConfig::new(16).init(&device);
    assert_eq!(count(&layer), 4);
    assert_eq!(count(&layer.clone().no_grad()), 0);
    assert_eq!(count(&layer.clone().freeze()), 0);
    assert_eq!(count(&layer.clone().freeze().unfreeze()), 4);
    assert_eq!(
        count(&layer.clone().freeze_group(ParamGroup::from_predicate("fc1"))),
        2
    );

    let valid = layer.valid();
    assert_eq!(valid.devices(), [Device::flex()]);
    let y = valid.forward(features(&Device::flex()));
    assert!(!y.is_autodiff());
    assert_eq!(count(&valid.train()), 4);
}

#[test]
fn a_frozen_attention_keeps_its_statistics() {
    let device = training();
    let layer: Layer<DyReluNormalised> = LayerConfig::new(16).init(&device);
    let layer = layer.freeze();
    let before = parameters(&layer.valid());
    let _ = layer.forward(features(&device));
    assert_eq!(parameters(&layer.valid()), before);
    // Without gradients only, they go on moving.
    let layer = layer.unfreeze().no_grad();
    let _ = layer.forward(features(&device));
    assert_ne!(parameters(&layer.valid()), before);
}

/// The losses of a model that learns to give absolute values.
fn losses<A: DynamicActivation>(mut optimizer: ModuleOptimizer, rate: f64) -> Vec<f64> {
    let device = training();
    let mut block: Block<Layer<A>> = Block::new(&config::<A>(), &device);
    let x = images(&device);
    let target = Conv2dConfig::new([3, 16], [3, 3])
        .init(&device)
        .forward(x.clone())
        .abs()
        .detach();
    let mut losses = vec![];
    for _ in 0..30 {
        let loss = (block.forward(x.clone()) - target.clone()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &block);
        losses.push(loss.into_scalar());
        block = optimizer.step(rate, block, grads);
    }
    losses
}

#[test]
fn the_loss_falls() {
    fn check<A: DynamicActivation>() {
        for (optimizer, rate) in [(SgdConfig::new().init(), 0.1), (AdamConfig::new().init(), 0.01)] {
            let losses = losses::<A>(optimizer, rate);
            assert!(losses[29] < losses[0], "{}: {losses:?}", A::NAME);
        }
    }
    for_each_kind!(check);
}

/// With gradients of zero, only the decay moves parameters.
#[test]
fn weight_decay_can_leave_learned_coefficients_alone() {
    let device = training();
    let layer: Layer<MetaAcon> = LayerConfig::new(16).init(&device);
    let model = vec![layer];
    let before = parameters(&model);
    let learned = ParamGroup::from_regex(r"(^|\.)(p|q)$").unwrap();
    let config = AdamWConfig::new().with_weight_decay(0.5);
    let mut optimizer =
        config
            .init()
            .with_group(learned, AdamWConfig::new().with_weight_decay(0.0).build(), None);
    let loss = model[0].forward(features(&device)).sum() * 0.0;
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    for (name, after) in parameters(&optimizer.step(0.1, model, grads)) {
        let factor = if ["0.p", "0.q"].contains(&&*name) {
            1.0
        } else {
            0.95
        };
        assert_close(&name, &after, &(&before[&name] * factor), 1e-6);
    }
}

#[test]
fn the_state_of_an_optimizer_is_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let (model, state) = (directory.path().join("m.bpk"), directory.path().join("o.bpk"));
    let device = training();
    let x = features(&device);
    let step = |layer: Layer<DyReluB>, optimizer: &mut ModuleOptimizer| {
        let loss = layer.forward(x.clone()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &layer);
        optimizer.step(0.1, layer, grads)
    };
    let mut optimizer = AdamConfig::new().init();
    let layer = step(LayerConfig::new(16).init(&device), &mut optimizer);
    layer.clone().save_file(&model).unwrap();
    optimizer.save(&state).unwrap();
    let expected = parameters(&step(layer, &mut optimizer));

    let layer: Layer<DyReluB> = LayerConfig::new(16).init(&device);
    let mut optimizer = AdamConfig::new().init().load(&state).unwrap();
    assert_eq!(
        parameters(&step(layer.load_file(&model), &mut optimizer)),
        expected
    );
}

#[test]
fn lora_adapts_the_matrices() {
    let device = training();
    // So many hidden units that some are active.
    let layer: Layer<DyReluB> = LayerConfig::new(16).with_hidden(Some(16)).init(&device);
    let x = features(&device);
    let before = array(layer.forward(x.clone()));
    let adapted = layer.apply_lora(Lora::new(2, 4.0));
    assert_eq!(array(adapted.forward(x.clone())), before);

    let loss = adapted.forward(x.clone()).square().mean();
    let grads = loss.backward();
    let names: Vec<String> = gradients(&adapted, &grads).into_keys().collect();
    assert_eq!(
        names,
        [
            "fc1.weight.lora.a",
            "fc1.weight.lora.b",
            "fc2.weight.lora.a",
            "fc2.weight.lora.b"
        ]
    );
    let grads = GradientsParams::from_grads(grads, &adapted);
    let adapted = SgdConfig::new().init().step(1.0, adapted, grads);
    let after = array(adapted.forward(x.clone()));
    assert_ne!(after, before);
    let merged = array(adapted.valid().materialize().forward(x.inner()));
    assert_close("merged", &merged, &after, 1e-6);
}

fn eight_bits(device: &Device) -> QuantScheme {
    device.settings().quantization.scheme.with_value(QuantValue::Q8S)
}

#[test]
fn quantised_weights_are_used() {
    let device = Device::flex();
    let quantizer = || Quantizer::new(Calibration::MinMax, eight_bits(&device));
    let x = features(&device);
    let check = |name: &str, quantised: [Tensor<4>; 2], y: &Tensor<4>| {
        for quantised in quantised {
            assert_close(name, &array(quantised), &array(y.clone()), 0.02);
        }
    };
    let layer = used::<DyReluC>();
    let y = layer.forward(x.clone());
    for (name, group) in [
        ("all", ParamGroup::all()),
        ("weights", ParamGroup::from_predicate("weight")),
    ] {
        let layer = layer.clone().quantize_weights_group(&mut quantizer(), group);
        check(
            name,
            [layer.forward(x.clone()), layer.forward_composed(x.clone())],
            &y,
        );
    }
    let layer = used::<AconC>();
    let y = layer.forward(x.clone());
    let layer = layer.quantize_weights(&mut quantizer());
    check(
        "learned",
        [layer.forward(x.clone()), layer.forward_composed(x.clone())],
        &y,
    );
}

#[test]
fn quantised_weights_are_adapted() {
    let device = training();
    let layer: Layer<DyReluB> = LayerConfig::new(16).init(&device);
    let x = features(&device);
    let before = array(layer.forward(x.clone()));
    let layer = layer.apply_qlora(QLora::new(
        Lora::new(2, 4.0),
        Quantizer::new(Calibration::MinMax, eight_bits(&device)),
    ));
    let y = layer.forward(x);
    assert_close("y", &array(y.clone()), &before, 0.02);
    assert_eq!(gradients(&layer, &y.square().mean().backward()).len(), 4);
}

#[test]
fn half_precision_goes_through() {
    let device = training();
    let layer: Layer<DyReluB> = LayerConfig::new(16).init(&device);
    let x = features(&device);
    let expected = array(layer.forward(x.clone()));
    for (dtype, tolerance) in [(DType::F16, 2e-3), (DType::BF16, 2e-2)] {
        let leaf = x.clone().cast(dtype).detach().require_grad();
        let y = layer.forward(leaf.clone());
        assert_eq!(y.dtype(), dtype);
        assert_close("y", &array(y.clone()), &expected, tolerance);
        let grads = y.sum().backward();
        assert_eq!(leaf.grad(&grads).unwrap().dtype(), dtype);
        assert_eq!(gradients(&layer, &grads).len(), 4);
    }
}

#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, a| if x > 0.0 { a * sqrt(x) } else { a * x }, init(a = 1.0)
)]
struct Root;
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, a| if x > 0.0 { a * sqrt(max(x, 1e-6)) } else { a * x }, init(a = 1.0)
)]
struct SafeRoot;

/// Tensor operations compute both branches of an `if`, as those of PyTorch: 0 times infinity is not a number.
#[test]
fn a_branch_with_an_infinite_gradient_needs_a_bound() {
    fn gradient<A: DynamicActivation>(composed: bool) -> String {
        let device = training();
        let layer: Layer<A> = LayerConfig::new(1).with_zero_init(true).init(&device);
        let x = Tensor::<2>::zeros([1, 1], &device).require_grad();
        let y = if composed {
            layer.forward_composed(x.clone())
        } else {
            layer.forward(x.clone())
        };
        let gradient: f32 = x.grad(&y.sum().backward()).unwrap().into_scalar();
        gradient.to_string()
    }
    assert_eq!(gradient::<Root>(false), "1");
    assert_eq!(gradient::<Root>(true), "NaN");
    assert_eq!(gradient::<SafeRoot>(false), "1");
    assert_eq!(gradient::<SafeRoot>(true), "1");
}

#[track_caller]
fn assert_panics(expected: &str, call: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("a panic");
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(expected));
}

#[test]
fn panics_say_what_was_expected_and_found() {
    let device = Device::flex();
    let layer: Layer<DyReluB> = LayerConfig::new(16).init(&device);
    let conditioned: Layer<Conditioned> = LayerConfig::new(8).with_context_channels(Some(5)).init(&device);
    let x = || Tensor::<4>::ones([2, 8, 4, 4], &device);
    for composed in [false, true] {
        let forward = |x| {
            if composed {
                layer.forward_composed(x)
            } else {
                layer.forward(x)
            }
        };
        assert_panics(
            "DyReluB: expected 16 channels in axis 1, found shape [2, 8, 4, 4]",
            || {
                let _ = forward(x());
            },
        );
    }
    assert_panics(
        "DyReluB: expected an input of rank 2 or more, [N, channels, ...], found shape [8]",
        || {
            let _ = layer.forward(Tensor::<1>::ones([8], &device));
        },
    );
    assert_panics(
        "Conditioned: expected a context beside x: call `with_context`, found none",
        || {
            let _ = conditioned.forward(x());
        },
    );
    assert_panics(
        "Conditioned: expected a context [N, 5, ...], found [2, 6]",
        || {
            let _ = conditioned.with_context(Tensor::<2>::ones([2, 6], &device));
        },
    );
    assert_panics(
        "Conditioned: expected a context [2, 5, ...] for x of this batch size, found [3, 5, ...]",
        || {
            let _ = conditioned
                .with_context(Tensor::<2>::ones([3, 5], &device))
                .forward(x());
        },
    );
    assert_panics(
        "DyReluB: expected no context: only `hyper(context = \"external\")` has one, found [3, 5]",
        || {
            let _ = layer.with_context(Tensor::<2>::ones([3, 5], &device));
        },
    );
    assert_panics("DyReluB: expected hidden units to be at least 1, found 0", || {
        let _: Layer<DyReluB> = LayerConfig::new(16).with_hidden(Some(0)).init(&device);
    });
}
