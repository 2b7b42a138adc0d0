//! Inputs and parameters of all kinds together: float types, gradients or not, memory orders, empty tensors, threads. The
//! kernels, or tensor operations where there is no kernel: never a panic, and gradients that reach everything.

mod common;

use candle_core::{DType, Device, IndexOp, Module, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use common::{Path, array, assert_close, gradients, variable};
use dyrelu::gallery::{
    DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised, DyShiftMax, DynamicSwish, PRelu,
};
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_candle::{Layer, LayerConfig, layer};
use ndarray::{ArrayD, IxDyn};

const CPU: Device = Device::Cpu;

fn config<A: DynamicActivation>() -> LayerConfig {
    let groups = A::NEIGHBOURS.iter().any(|neighbour| neighbour.groups != 0);
    // So many hidden units that some fire for any input.
    LayerConfig {
        hidden: Some(16),
        groups: groups.then_some(2),
        ..LayerConfig::new(6)
    }
}

fn trained<A: DynamicActivation>() -> Layer<A> {
    let vars = VarMap::new();
    let layer: Layer<A> = layer(&config::<A>(), VarBuilder::from_varmap(&vars, DType::F32, &CPU)).unwrap();
    // Candle's generator on the CPU has no seed.
    for (name, value) in layer.parameters() {
        if name.starts_with("fc") || name == "attention.weight" {
            let values = numbers(value.dims(), name.len() as f64);
            Var::from_tensor(value)
                .unwrap()
                .set(&(values * 0.2).unwrap())
                .unwrap();
        }
    }
    layer
}

/// Numbers from −2 to 2 without ties.
fn numbers(shape: &[usize], seed: f64) -> Tensor {
    let count = shape.iter().product::<usize>();
    let numbers = (0..count).map(|i| 2.0 * f64::sin((i * i) as f64 * 0.7 + seed));
    let numbers = Tensor::from_iter(numbers, &CPU).unwrap().reshape(shape).unwrap();
    numbers.to_dtype(DType::F32).unwrap()
}

/// The same layer, with parameters of this type, as variables or not.
fn copy<A: DynamicActivation>(layer: &Layer<A>, dtype: DType, variables: bool) -> Layer<A> {
    let parameters = layer.parameters().map(|(name, value)| {
        let value = value.copy().unwrap().detach().to_dtype(dtype).unwrap();
        let variable = || Var::from_tensor(&value).unwrap().into_inner();
        (
            name.to_owned(),
            if variables { variable() } else { value.clone() },
        )
    });
    let mut parameters: common::Tensors = parameters.collect();
    if A::NAME == DyReluNormalised::NAME {
        for (name, value) in [("running_mean", 0.0), ("running_var", 1.0)] {
            let value = Tensor::new(&[value], &CPU).unwrap().to_dtype(dtype).unwrap();
            parameters.insert(format!("attention.norm.{name}"), value);
        }
    }
    dyrelu_candle::layer(layer.config(), VarBuilder::from_tensors(parameters, dtype, &CPU)).unwrap()
}

fn x() -> Tensor {
    numbers(&[3, 6, 4, 5], 0.1)
}

fn square_sum(y: &Tensor) -> Tensor {
    y.to_dtype(DType::F32).unwrap().sqr().unwrap().sum_all().unwrap()
}

/// All parameters have a gradient, and one that is not zero everywhere.
fn assert_reaches_all<A: DynamicActivation>(layer: &Layer<A>, y: &Tensor) {
    let grads = gradients(layer, &square_sum(y).backward().unwrap());
    for (name, _) in layer.parameters() {
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
        let layer = trained::<A>();
        for path in Path::BOTH {
            assert_reaches_all(&layer, &path.forward(&layer, &x()).unwrap());
            assert_reaches_all(&layer, &path.train(&layer, &x()).unwrap());
            let x = Var::from_tensor(&x()).unwrap();
            let deeper = (x.as_tensor() * 2.0).unwrap();
            assert_reaches_all(&layer, &path.train(&layer, &deeper).unwrap());
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
        let frozen = copy(&trained::<A>(), DType::F32, false);
        let x = Var::from_tensor(&x()).unwrap();
        let [fused, composed] = Path::BOTH.map(|path| {
            let y = path.forward(&frozen, &x).unwrap();
            let grads = square_sum(&y).backward().unwrap();
            assert!(gradients(&frozen, &grads).is_empty());
            array(grads.get(&x).expect("a gradient of x"))
        });
        assert_close(A::NAME, &fused, &composed, 1e-5);
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DyShiftMax>();
    check::<PRelu>();
}

#[test]
fn a_graph_gives_its_gradients_again() {
    let layer = trained::<DyReluC>();
    let loss = square_sum(&layer.forward(&x()).unwrap());
    let [first, second] = [(); 2].map(|()| gradients(&layer, &loss.backward().unwrap()));
    assert_eq!(first, second);
}

#[test]
fn running_statistics_normalise_what_is_not_training() {
    let layer = trained::<DyReluNormalised>();
    let x = (x() * 3.0).unwrap();
    for _ in 0..3 {
        layer.forward_t(&x, true).unwrap();
    }
    let expected = array(&layer.forward_composed(&x).unwrap());
    let training = array(&layer.forward_t(&x, true).unwrap());
    assert_ne!(training, expected);
    // Four passes have moved them since; those of a layer without variables are read by the kernels.
    let expected = array(&layer.forward_composed(&x).unwrap());
    assert_close(
        "with variables",
        &array(&layer.forward(&x).unwrap()),
        &expected,
        1e-6,
    );
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
    let trained = dyrelu_candle::layer::<DyReluNormalised>(&config::<DyReluNormalised>(), vb).unwrap();
    trained.forward_t(&x, true).unwrap();
    let expected = array(&trained.forward_composed(&x).unwrap());
    let tensors = vars.data().lock().unwrap();
    let tensors = tensors
        .iter()
        .map(|(name, var)| (name.clone(), var.as_detached_tensor()));
    let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &CPU);
    let frozen = dyrelu_candle::layer::<DyReluNormalised>(&config::<DyReluNormalised>(), vb).unwrap();
    let y = frozen.forward(&x).unwrap();
    assert!(!y.track_op());
    assert_close("without variables", &array(&y), &expected, 1e-6);
}

/// The values, and the gradient of x, of a layer for an input of this float type.
fn pass<A: DynamicActivation>(layer: &Layer<A>, x: &Tensor, dtype: DType) -> [ArrayD<f64>; 2] {
    let leaf = Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
    let y = layer.forward(&leaf).unwrap();
    assert_eq!(y.dtype(), dtype);
    let grads = square_sum(&y).backward().unwrap();
    assert_eq!(gradients(layer, &grads).len(), layer.parameters().len());
    [array(&y), array(grads.get(&leaf).expect("a gradient of x"))]
}

#[test]
fn float_types_of_input_and_parameters_may_differ() {
    fn check<A: DynamicActivation>() {
        let layer = trained::<A>();
        let wide = copy(&layer, DType::F64, true);
        let narrow = copy(&layer, DType::F16, true);
        // Numbers that all types have.
        let x = (x() * 4.0).unwrap().round().unwrap();
        let x = (x * 0.25).unwrap();
        let expected = pass(&layer, &x, DType::F32);
        for (layer, dtype, tolerance) in [
            (&layer, DType::F64, 1e-6),
            (&wide, DType::F32, 1e-6),
            (&wide, DType::F64, 1e-6),
            (&narrow, DType::F32, 4e-3),
            (&layer, DType::F16, 4e-3),
            (&layer, DType::BF16, 4e-2),
            (&wide, DType::F16, 4e-3),
            (&narrow, DType::F16, 4e-3),
        ] {
            let found = pass(layer, &x, dtype);
            for (what, (found, expected)) in ["y", "gradient of x"].iter().zip(found.iter().zip(&expected)) {
                assert_close(
                    &format!("{} {dtype:?}: {what}", A::NAME),
                    found,
                    expected,
                    tolerance,
                );
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<DynamicSwish>();
    check::<PRelu>();
}

#[test]
fn half_precision_pools_in_single_precision() {
    for dtype in [DType::F16, DType::BF16] {
        // A sum of these in f16 would be infinite, and one in bf16 would stop to grow.
        let x = Tensor::full(300_f32, (1, 6, 5000), &CPU).unwrap();
        let layer = trained::<DyReluB>();
        let coefficients = layer.coefficients(&x.to_dtype(dtype).unwrap()).unwrap();
        assert_eq!(coefficients.dtype(), DType::F32);
        let expected = layer
            .coefficients(&x.to_dtype(dtype).unwrap().to_dtype(DType::F64).unwrap())
            .unwrap();
        assert_close("coefficients", &array(&coefficients), &array(&expected), 1e-5);
        let y = layer.forward(&x.to_dtype(dtype).unwrap()).unwrap();
        assert!(array(&y).iter().all(|value| value.is_finite()));
    }
}

/// The only roundings to a half type are those of a and b, of a · x and of a · x + b: each loses at most `unit` of its result.
/// The largest of both pieces is as near to its exact value as the pieces are.
#[test]
fn half_precision_loses_the_roundings_of_a_piece_only() {
    fn check<A: DynamicActivation>(numbers: &Tensor) {
        let layer = trained::<A>();
        // Half the distance of 1 and the next number.
        for (dtype, unit) in [
            (DType::F16, f64::powi(2.0, -11)),
            (DType::BF16, f64::powi(2.0, -8)),
        ] {
            let x = numbers.to_dtype(dtype).unwrap();
            let exact = x.to_dtype(DType::F64).unwrap();
            let wide = copy(&layer, DType::F64, false);
            let found = layer.coefficients(&x).unwrap();
            let expected = array(&wide.coefficients(&exact).unwrap());
            assert_close(A::NAME, &array(&found), &expected, 1e-6);

            let [y, expected_y] = [layer.forward(&x), wide.forward(&exact)].map(|y| array(&y.unwrap()));
            let exact = array(&exact);
            for ((i, y), expected_y) in y.indexed_iter().zip(&expected_y) {
                let set = |p: usize, k: usize| expected[[i[0], i[1] % expected.shape()[1], p, k]];
                let bounds = [0, 1].map(|k| {
                    let (product, intercept) = ((set(0, k) * exact[&i]).abs(), set(1, k).abs());
                    // a, the product, the sum, and both b and the sum; the second order is below the last term.
                    unit * (3.0 * product + 2.0 * intercept) * 1.01
                });
                let bound = bounds[0].max(bounds[1]) + 1e-6;
                assert!(
                    (y - expected_y).abs() <= bound,
                    "{} {dtype:?} {i:?}: {y}, not {expected_y} within {bound}",
                    A::NAME
                );
            }
        }
    }
    let numbers = numbers(&[3, 6, 20, 10], 0.3);
    check::<DyReluA>(&numbers);
    check::<DyReluB>(&numbers);
    // As large as the mean of many that a half type would not hold.
    let far = (numbers + 100.0).unwrap();
    check::<DyReluA>(&far);
    check::<DyReluB>(&far);
}

#[test]
fn tensors_may_repeat_reorder_and_skip_elements() {
    fn check<A: DynamicActivation>() {
        let layer = trained::<A>();
        let views: [fn(&Tensor) -> Result<Tensor>; 7] = [
            |x| x.narrow(0, 0, 1)?.broadcast_as((3, 6, 4, 5)),
            |x| x.narrow(1, 0, 1)?.broadcast_as((3, 6, 4, 5)),
            |x| x.i((..1, ..1, ..1, ..1))?.broadcast_as((3, 6, 4, 5)),
            |x| x.transpose(2, 3),
            |x| x.permute((2, 1, 0, 3)),
            |x| x.narrow(3, 1, 3)?.narrow(0, 1, 2),
            |x| x.permute((0, 2, 3, 1))?.contiguous()?.permute((0, 3, 1, 2)),
        ];
        for (i, view) in views.into_iter().enumerate() {
            let leaf = Var::from_tensor(&x()).unwrap();
            let copy = Var::from_tensor(&leaf.copy().unwrap()).unwrap();
            let x = view(&leaf).unwrap();
            let (y, expected) = (
                layer.forward(&x).unwrap(),
                layer
                    .forward_composed(&view(&copy).unwrap().contiguous().unwrap())
                    .unwrap(),
            );
            assert!(y.is_contiguous());
            let what = format!("{} {i}", A::NAME);
            assert_close(&what, &array(&y), &array(&expected), 1e-5);
            // The gradient of a sum repeats one number; that of a transposed tensor is transposed.
            for loss in [
                |y: Tensor| y.sum_all(),
                |y: Tensor| y.transpose(1, 3)?.contiguous()?.sqr()?.sum_all(),
            ] {
                let [found, expected] = [(&y, &leaf), (&expected, &copy)].map(|(y, leaf)| {
                    let grads = loss(y.clone()).unwrap().backward().unwrap();
                    array(grads.get(leaf).unwrap())
                });
                assert_close(&format!("{what}: gradient"), &found, &expected, 1e-5);
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyShiftMax>();
}

#[test]
fn parameters_may_be_views() {
    let layer = trained::<DyReluB>();
    let x = x();
    let parameters = layer.parameters().map(|(name, value)| {
        let value = match value.rank() {
            2 => value.t().unwrap().contiguous().unwrap().t().unwrap(),
            _ => Tensor::cat(&[value, value], 0)
                .unwrap()
                .narrow(0, value.dims()[0], value.dims()[0])
                .unwrap(),
        };
        (name.to_owned(), value.detach())
    });
    let vb = VarBuilder::from_tensors(parameters.collect(), DType::F32, &CPU);
    let views = dyrelu_candle::layer::<DyReluB>(layer.config(), vb).unwrap();
    let expected = array(&layer.forward(&x).unwrap());
    assert_eq!(array(&views.forward(&x).unwrap()), expected);
}

#[test]
fn empty_inputs_give_empty_outputs() {
    fn check<A: DynamicActivation>() {
        let trained = trained::<A>();
        for layer in [&trained, &copy(&trained, DType::F32, false)] {
            for shape in [[0, 6, 4, 5], [2, 6, 0, 5], [0, 6, 0, 0]] {
                for dtype in [DType::F32, DType::F16] {
                    let x = Tensor::zeros(&shape, dtype, &CPU).unwrap();
                    for path in Path::BOTH {
                        assert_eq!(path.forward(layer, &x).unwrap().dims(), shape);
                        assert_eq!(path.train(layer, &x).unwrap().dims(), shape);
                    }
                    let rows = layer.coefficients(&x).unwrap().dims()[0];
                    assert!(rows == shape[0] || rows == 1, "{}: {rows}", A::NAME);
                    let attention = layer.attention(&x).unwrap();
                    assert!(attention.is_none_or(|attention| attention.elem_count() == 0));
                }
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyReluNormalised>();
    check::<PRelu>();
}

#[test]
fn a_layer_may_stand_in_two_places_and_threads() {
    let layer = trained::<DyReluB>();
    let twice = |path: Path, x: &Tensor| {
        let between = (path.forward(&layer, x)? + 0.5)?;
        square_sum(&path.forward(&layer, &between)?).backward()
    };
    let x = x();
    let expected = gradients(&layer, &twice(Path::Composed, &x).unwrap());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| gradients(&layer, &twice(Path::Fused, &x).unwrap())))
            .collect();
        for worker in workers {
            for (name, grad) in worker.join().unwrap() {
                assert_close(&name, &grad, &expected[&name], 1e-5);
            }
        }
    });
}

#[test]
fn special_numbers_stay_in_their_samples() {
    fn check<A: DynamicActivation>() {
        let layer = trained::<A>();
        for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut numbers = array(&x());
            numbers[[1, 2, 3, 4]] = special;
            let x = variable(&numbers, DType::F32);
            let [fused, composed] = Path::BOTH.map(|path| array(&path.forward(&layer, &x).unwrap()));
            for ((i, fused), composed) in fused.indexed_iter().zip(&composed) {
                // The difference of infinities is NaN.
                let same = fused.total_cmp(composed).is_eq() || (fused - composed).abs() < 1e-5;
                assert!(
                    same || fused.is_nan() && composed.is_nan(),
                    "{} {special} {i:?}: {fused}, {composed}",
                    A::NAME
                );
                assert!(i[0] == 1 || fused.is_finite());
            }
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyShiftMax>();
    check::<PRelu>();
}

#[dynamic_activation(
    k = 1, share = "spatial", learned(a = 1.0),
    piece = |x, a| a * (softplus(x) + exp_m1(-abs(x)) + ln_1p(abs(x)) + tanh(x) + sigmoid(x) + relu(x) + clamp(x, -1, 1))
)]
struct Functions;

#[test]
fn gradients_are_those_of_the_kernels_at_zero_and_far_from_it() {
    let layer = trained::<Functions>();
    let x = [
        -100.0, -30.0, -17.0, -2.0, -1e-3, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-3, 2.0, 17.0, 30.0, 85.0, 100.0,
        -0.0, 0.5,
    ];
    let x = ArrayD::from_shape_vec(IxDyn(&[3, 6]), x.to_vec()).unwrap();
    let [(y, dx), (expected_y, expected_dx)] =
        [(Path::Composed, DType::F32), (Path::Fused, DType::F64)].map(|(path, dtype)| {
            let x = variable(&x, dtype);
            let y = path.forward(&layer, &x).unwrap();
            let grads = y.sum_all().unwrap().backward().unwrap();
            (array(&y), array(grads.get(&x).unwrap()))
        });
    for (((y, dx), (expected_y, expected_dx)), x) in
        y.iter().zip(&dx).zip(expected_y.iter().zip(&expected_dx)).zip(&x)
    {
        assert!(
            (y - expected_y).abs() <= 1e-5 * expected_y.abs().max(1.0),
            "y({x}): {y}, not {expected_y}"
        );
        assert!(
            (dx - expected_dx).abs() <= 1e-5,
            "y'({x}): {dx}, not {expected_dx}"
        );
    }
}

/// The sign of a learned zero decides about that of an infinity.
#[dynamic_activation(k = 1, share = "spatial", piece = |x, a| x / a, learned(a = 1.0))]
struct Quotient;

#[test]
fn a_learned_zero_may_change_its_sign() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
    let layer = layer::<Quotient>(&LayerConfig::new(2), vb).unwrap();
    for zero in [0.0_f32, -0.0, 0.0] {
        let value = Tensor::full(zero, 2, &CPU).unwrap();
        vars.all_vars()[0].set(&value).unwrap();
        let expected = ArrayD::from_elem(vec![1, 2], f64::from(1.0 / zero));
        for path in Path::BOTH {
            assert_eq!(
                array(&path.forward(&layer, &ones(&[1, 2])).unwrap()),
                expected,
                "{path:?}"
            );
        }
    }
}

#[test]
fn to_look_at_the_attention_moves_no_statistics() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &CPU);
    let layer = layer::<DyReluNormalised>(&config::<DyReluNormalised>(), vb).unwrap();
    let mean = || array(&vars.data().lock().unwrap()["attention.norm.running_mean"]);
    let before = mean();
    assert!(layer.attention(&x()).unwrap().is_some());
    layer.forward(&x()).unwrap();
    assert_eq!(mean(), before);
    layer.forward_t(&x(), true).unwrap();
    assert_ne!(mean(), before);
}

/// Larger than a cache: one thread takes some samples at a time, several take all at once.
#[test]
fn samples_of_a_large_batch_are_those_of_small_ones() {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(check_samples);
    }
}

fn check_samples() {
    fn check<A: DynamicActivation>() {
        let layer = copy(&trained::<A>(), DType::F32, false);
        let x = numbers(&[5, 6, 20, 1000], 0.4);
        let y = layer.forward(&x).unwrap();
        let turned = x.transpose(2, 3).unwrap();
        let turned = layer.forward(&turned).unwrap().transpose(2, 3).unwrap();
        for n in 0..5 {
            let alone = layer.forward(&x.narrow(0, n, 1).unwrap()).unwrap();
            let together = array(&y.narrow(0, n, 1).unwrap());
            assert_eq!(together, array(&alone), "{} {n}", A::NAME);
            let turned = array(&turned.narrow(0, n, 1).unwrap());
            assert_close(A::NAME, &turned, &array(&alone), 1e-5);
        }
    }
    check::<DyReluA>();
    check::<DyReluB>();
    check::<DyReluC>();
    check::<DyShiftMax>();
    check::<PRelu>();

    let layer = copy(&trained::<DyHeadBetween>(), DType::F32, false);
    let (x, context) = (numbers(&[5, 6, 20, 1000], 0.4), numbers(&[5, 6], 0.5));
    let y = layer.with_context(&context).unwrap().forward(&x).unwrap();
    for n in 0..5 {
        let context = context.narrow(0, n, 1).unwrap();
        let alone = layer.with_context(&context).unwrap();
        let alone = alone.forward(&x.narrow(0, n, 1).unwrap()).unwrap();
        assert_eq!(array(&y.narrow(0, n, 1).unwrap()), array(&alone), "{n}");
    }
}

/// The message of an error.
fn message<T>(result: Result<T>) -> String {
    result.err().expect("an error").to_string()
}

#[track_caller]
fn assert_message<T>(result: Result<T>, expected: &str) {
    // A backtrace may follow.
    let message = message(result);
    assert_eq!(message.lines().next(), Some(expected));
}

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &CPU).unwrap()
}

#[test]
fn inputs_of_other_shapes() {
    let layer = trained::<DyReluB>();
    for path in Path::BOTH {
        assert_message(
            path.forward(&layer, &ones(&[2, 5, 3])),
            "DyReluB: expected 6 channels in axis 1, found shape [2, 5, 3]",
        );
        assert_message(
            path.forward(&layer, &ones(&[6])),
            "DyReluB: expected an input of rank 2 or more, [N, channels, ...], found shape [6]",
        );
    }
    let counts = Tensor::zeros((2, 6, 3), DType::U32, &CPU).unwrap();
    assert_message(layer.forward(&counts), "unsupported dtype U32 for op DyReluB");
    // Candle has no arithmetic for these.
    let eighths = Tensor::zeros((2, 6, 3), DType::F32, &CPU).unwrap();
    if let Ok(eighths) = eighths.to_dtype(DType::F8E4M3) {
        drop(layer.forward(&eighths));
    }
}

#[test]
fn contexts_that_are_missing_or_of_other_shapes() {
    let layer = trained::<DyHeadBetween>();
    assert_message(
        layer.forward(&ones(&[2, 6, 3])),
        "DyHeadBetween: expected a context beside x: call `with_context`, found none",
    );
    assert_message(
        layer.with_context(&ones(&[2, 5])),
        "DyHeadBetween: expected a context [N, 6, ...], found [2, 5]",
    );
    let with_context = layer.with_context(&ones(&[3, 6])).unwrap();
    assert_message(
        with_context.forward(&ones(&[2, 6, 3])),
        "DyHeadBetween: expected a context [2, 6, ...] for x of this batch size, found [3, 6, ...]",
    );
    assert_message(
        trained::<DyReluB>().with_context(&ones(&[2, 6])),
        "DyReluB: expected no context: only `hyper(context = \"external\")` has one, found [2, 6]",
    );
}

#[test]
fn options_that_make_no_layer() {
    let make = |config: LayerConfig| layer::<DyReluB>(&config, VarBuilder::zeros(DType::F32, &CPU));
    let reduction = LayerConfig {
        reduction: 0,
        ..LayerConfig::new(6)
    };
    assert_message(
        make(reduction),
        "DyReluB: expected reduction to be at least 1, found 0",
    );
    let temperature = LayerConfig {
        temperature: Some(2.0),
        ..LayerConfig::new(6)
    };
    assert!(message(make(temperature)).contains("temperature"));
}
