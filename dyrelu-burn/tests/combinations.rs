//! Inputs and parameters of all kinds together: float types, autodiff or not, memory orders, empty tensors, threads. The
//! kernels, or tensor operations where there is no kernel: never a panic, and gradients that reach everything.

mod common;

use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Tensor};
use common::{Path, array, assert_close, gradients, parameters, tensor, training_devices};
use dyrelu::gallery::{
    DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised, DyShiftMax, DynamicSwish, PRelu,
};
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_burn::{Layer, LayerConfig};

fn layer<A: DynamicActivation>(device: &Device) -> Layer<A> {
    let groups = A::NEIGHBOURS.iter().any(|neighbour| neighbour.groups != 0);
    // So many hidden units that some fire for any input.
    LayerConfig::new(6)
        .with_hidden(Some(16))
        .with_groups(groups.then_some(2))
        .init(device)
}

fn random(device: &Device) -> Tensor<4> {
    Tensor::random([3, 6, 4, 5], Distribution::Normal(0.0, 1.0), device)
}

/// All parameters have a gradient, and one that is not zero everywhere.
fn assert_reaches_all<A: DynamicActivation>(layer: &Layer<A>, y: Tensor<4>) {
    let grads = gradients(layer, &y.powi_scalar(2).sum().backward());
    for name in parameters(layer).keys().filter(|name| !name.contains("running")) {
        let grad = grads
            .get(name)
            .unwrap_or_else(|| panic!("{}: no gradient of {name}", A::NAME));
        assert!(
            grad.iter().all(|value| value.is_finite()),
            "{}: {name}: {grad}",
            A::NAME
        );
        // Neither the shift of all scores nor a hidden unit that never fires is seen by the output.
        let may_be_zero =
            name.ends_with("attention.bias") || name.ends_with("norm.bias") || name == "fc1.bias";
        assert!(
            may_be_zero || grad.iter().any(|&value| value != 0.0),
            "{}: {name}",
            A::NAME
        );
    }
}

#[test]
fn gradients_reach_all_parameters() {
    fn check<A: DynamicActivation>() {
        let plain = Device::flex();
        for (_, device) in training_devices() {
            let layer = layer::<A>(&device);
            assert_reaches_all(&layer, layer.forward(random(&device)));
            // x is of a device without autodiff, as images are.
            assert_reaches_all(&layer, layer.forward(random(&plain)));
            assert_reaches_all(&layer, layer.forward_composed(random(&plain)));
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DyShiftMax>();
    check::<DynamicSwish>();
    check::<PRelu>();
}

#[test]
fn gradients_reach_x_through_frozen_layers() {
    fn check<A: DynamicActivation>() {
        for (_, device) in training_devices() {
            let trained = layer::<A>(&device);
            // The running statistics are those of the standard normal distribution still: the same for both.
            for frozen in [trained.valid(), trained.clone().freeze()] {
                let x = random(&device).require_grad();
                let [fused, composed] = [frozen.forward(x.clone()), frozen.forward_composed(x.clone())];
                let [fused, composed] = [fused, composed].map(|y| {
                    let grads = y.powi_scalar(2).sum().backward();
                    assert!(gradients(&frozen, &grads).is_empty());
                    array(x.grad(&grads).expect("a gradient of x"))
                });
                assert_close(A::NAME, &fused, &composed, 1e-5);
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DyShiftMax>();
    check::<PRelu>();
}

/// The values, and the gradient of x, of a layer for an input of this float type.
fn pass<A: DynamicActivation>(layer: &Layer<A>, x: &Tensor<4>, dtype: DType) -> [ndarray::ArrayD<f64>; 2] {
    let leaf = x.clone().cast(dtype).detach().require_grad();
    let y = layer.forward(leaf.clone());
    assert_eq!(y.dtype(), dtype);
    assert_eq!(layer.valid().forward(leaf.clone().inner()).dtype(), dtype);
    let grads = y.clone().cast(DType::F32).powi_scalar(2).sum().backward();
    assert_eq!(
        gradients(layer, &grads).len(),
        parameters(layer).len() - running::<A>()
    );
    [array(y), array(leaf.grad(&grads).expect("a gradient of x"))]
}

fn running<A: DynamicActivation>() -> usize {
    if A::NAME == "DyReluNormalised" { 2 } else { 0 }
}

#[test]
fn float_types_of_input_and_parameters_may_differ() {
    fn check<A: DynamicActivation>() {
        for (_, device) in training_devices() {
            let layer = layer::<A>(&device);
            let wide = layer.clone().map(&mut Cast(DType::F64));
            // Numbers that all types have.
            let x = random(&device).mul_scalar(4.0).round().mul_scalar(0.25);
            let expected = pass(&layer, &x, DType::F32);
            for (layer, dtype, tolerance) in [
                (&layer, DType::F64, 1e-6),
                (&wide, DType::F32, 1e-6),
                (&wide, DType::F64, 1e-6),
                (&layer, DType::F16, 4e-3),
                (&layer, DType::BF16, 4e-2),
                (&wide, DType::F16, 4e-3),
            ] {
                let found = pass(layer, &x, dtype);
                for (what, (found, expected)) in
                    ["y", "gradient of x"].iter().zip(found.iter().zip(&expected))
                {
                    assert_close(
                        &format!("{} {dtype:?}: {what}", A::NAME),
                        found,
                        expected,
                        tolerance,
                    );
                }
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DynamicSwish>();
    check::<PRelu>();
}

/// Casts all parameters.
struct Cast(DType);

impl burn::module::ModuleMapper for Cast {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        param.map(|value| value.detach().cast(self.0).detach().require_grad())
    }
}

#[test]
fn half_precision_pools_in_single_precision() {
    // A sum of these in f16 would be infinite.
    let x = Tensor::<3>::full([1, 6, 5000], 300.0, (&Device::flex(), DType::F16));
    let y = layer::<DyReluB>(&Device::flex()).forward(x);
    assert!(array(y).iter().all(|value| value.is_finite()));
}

#[test]
fn tensors_may_repeat_mirror_and_skip_elements() {
    fn check<A: DynamicActivation>() {
        for (_, device) in training_devices() {
            let layer = layer::<A>(&device);
            let inputs: [Tensor<4>; 5] = [
                random(&device).narrow(0, 0, 1).expand([3, 6, 4, 5]),
                random(&device).narrow(1, 0, 1).expand([3, 6, 4, 5]),
                Tensor::<4>::ones([1, 1, 1, 1], &device).expand([3, 6, 4, 5]),
                random(&device).flip([1, 3]),
                random(&device).swap_dims(2, 3),
            ];
            for (i, view) in inputs.into_iter().enumerate() {
                let copy = Tensor::<4>::from_data(view.to_data(), &device).require_grad();
                let view = view.require_grad();
                let (y, expected) = (layer.forward(view.clone()), layer.forward(copy.clone()));
                assert_close(
                    &format!("{} {i}", A::NAME),
                    &array(y.clone()),
                    &array(expected.clone()),
                    1e-6,
                );
                // The gradient of a sum repeats one number.
                let (found, expected) = (
                    view.grad(&y.sum().backward()),
                    copy.grad(&expected.sum().backward()),
                );
                assert_close(
                    &format!("{} {i}: gradient", A::NAME),
                    &array(found.unwrap()),
                    &array(expected.unwrap()),
                    1e-6,
                );
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyShiftMax>();
}

#[test]
fn empty_inputs_give_empty_outputs() {
    fn check<A: DynamicActivation>() {
        let plain = Device::flex();
        for device in [plain.clone(), plain.autodiff()] {
            let layer = layer::<A>(&device);
            for shape in [[0, 6, 4, 5], [2, 6, 0, 5], [0, 6, 0, 0]] {
                let x = Tensor::<4>::empty(shape, &device);
                assert_eq!(layer.forward(x.clone()).dims(), shape);
                assert_eq!(layer.forward_composed(x).dims(), shape);
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<PRelu>();
}

#[test]
fn the_input_of_an_inference_stays_what_it_is() {
    let device = Device::flex();
    let layer = layer::<DyReluB>(&device);
    let x = random(&device);
    let before = array(x.clone());
    let expected = array(layer.forward(x.clone()));
    assert_eq!(array(x.clone()), before);
    // Nobody else has x any more: y takes its place.
    let y = layer.forward(x);
    assert_eq!(array(y), expected);
}

#[test]
fn a_layer_may_stand_in_two_places_and_threads() {
    for (_, device) in training_devices() {
        let layer = layer::<DyReluB>(&device);
        let twice = |layer: &Layer<DyReluB>, x: Tensor<4>| layer.forward(layer.forward(x) + 0.5);
        let composed =
            |layer: &Layer<DyReluB>, x: Tensor<4>| layer.forward_composed(layer.forward_composed(x) + 0.5);
        let x = random(&device);
        let expected = gradients(
            &layer,
            &composed(&layer, x.clone()).powi_scalar(2).sum().backward(),
        );
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    let (layer, x) = (layer.clone(), x.clone());
                    scope.spawn(move || gradients(&layer, &twice(&layer, x).powi_scalar(2).sum().backward()))
                })
                .collect();
            for worker in workers {
                for (name, grad) in worker.join().unwrap() {
                    assert_close(&name, &grad, &expected[&name], 1e-5);
                }
            }
        });
    }
}

#[dynamic_activation(
    k = 1, share = "spatial", learned(a = 1.0),
    piece = |x, a| a * (softplus(x) + exp_m1(-abs(x)) + ln_1p(abs(x)) + tanh(x) + sigmoid(x) + relu(x) + clamp(x, -1, 1))
)]
struct Functions;

#[test]
fn gradients_are_those_of_the_kernels_at_zero_and_far_from_it() {
    let device = Device::flex().autodiff();
    let layer: Layer<Functions> = LayerConfig::new(6).init(&device);
    let x = [
        -100.0, -30.0, -17.0, -2.0, -1e-3, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-3, 2.0, 17.0, 30.0, 85.0, 100.0,
        -0.0, 0.5,
    ];
    let x = ndarray::ArrayD::from_shape_vec(vec![3, 6], x.to_vec()).unwrap();
    let pass = |path: Path, dtype| {
        let leaf = tensor::<2>(&x, &device, dtype).require_grad();
        let y = path.forward(&layer, leaf.clone());
        let grads = y.clone().sum().backward();
        [array(y), array(leaf.grad(&grads).unwrap())]
    };
    let found = pass(Path::Composed, DType::F32);
    let expected = pass(Path::Fused, DType::F64);
    for (found, expected) in found.iter().zip(&expected) {
        for ((found, expected), x) in found.iter().zip(expected).zip(&x) {
            let tolerance = 1e-5 * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= tolerance,
                "at {x}: {found}, not {expected}"
            );
        }
    }
}

/// The sign of a learned zero decides about that of an infinity.
#[dynamic_activation(k = 1, share = "spatial", piece = |x, a| x / a, learned(a = 1.0))]
struct Quotient;

#[test]
fn clones_with_other_parameters_do_not_share_them() {
    let device = Device::flex();
    let layer: Layer<Quotient> = LayerConfig::new(2).init(&device);
    let x = Tensor::<2>::ones([1, 2], &device);
    for zero in [0.0, -0.0, 0.0] {
        let layer = layer.clone().map(&mut Fill(zero));
        let expected = ndarray::ArrayD::from_elem(vec![1, 2], 1.0 / zero);
        assert_eq!(array(layer.forward(x.clone())), expected);
        assert_eq!(array(layer.forward_composed(x.clone())), expected);
    }
}

/// Makes all parameters the same number.
struct Fill(f64);

impl burn::module::ModuleMapper for Fill {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        param.map(|value| value.full_like(self.0))
    }
}

#[test]
fn to_look_at_the_attention_moves_no_statistics() {
    for (_, device) in training_devices() {
        let layer = layer::<DyReluNormalised>(&device);
        let before = parameters(&layer.valid());
        assert!(layer.attention(random(&device)).is_some());
        assert_eq!(parameters(&layer.valid()), before);
        let _ = layer.forward(random(&device));
        assert_ne!(parameters(&layer.valid()), before);
    }
}

#[test]
#[should_panic(expected = "must share a strategy")]
fn a_layer_that_has_lost_its_checkpointing() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let layer = layer::<DyReluB>(&device).valid().train();
    let _ = layer.forward(random(&device));
}

#[test]
#[should_panic(expected = "DyReluB: expected 6 channels in axis 1, found shape [2, 5, 3]")]
fn another_number_of_channels() {
    let _ = layer::<DyReluB>(&Device::flex()).forward(Tensor::<3>::ones([2, 5, 3], &Device::flex()));
}

#[test]
#[should_panic(
    expected = "DyReluB: expected an input of rank 2 or more, [N, channels, ...], found shape [6]"
)]
fn an_input_without_a_batch() {
    let _ = layer::<DyReluB>(&Device::flex()).forward(Tensor::<1>::ones([6], &Device::flex()));
}

#[test]
#[should_panic(expected = "DyHeadBetween: expected a context beside x: call `with_context`, found none")]
fn a_context_that_is_missing() {
    let _ = layer::<DyHeadBetween>(&Device::flex()).forward(Tensor::<3>::ones([2, 6, 3], &Device::flex()));
}

#[test]
#[should_panic(expected = "expected a context [2, 6, ...] for x of this batch size, found [3, 6, ...]")]
fn a_context_of_another_batch() {
    let layer = layer::<DyHeadBetween>(&Device::flex());
    let _ = layer
        .with_context(Tensor::<2>::ones([3, 6], &Device::flex()))
        .forward(Tensor::<3>::ones([2, 6, 3], &Device::flex()));
}

#[test]
fn options_that_make_no_layer() {
    let error = LayerConfig::new(6)
        .with_reduction(0)
        .try_init::<DyReluB>(&Device::flex())
        .unwrap_err();
    assert_eq!(error.to_string(), "expected reduction to be at least 1, found 0");
    let error = LayerConfig::new(6)
        .with_temperature(Some(2.0))
        .try_init::<DyReluB>(&Device::flex())
        .unwrap_err();
    assert!(error.to_string().contains("temperature"), "{error}");
}
