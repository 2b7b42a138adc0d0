//! `backward` against finite differences of `forward`, for the input and every parameter.

mod common;

use common::{random, randomise};
use dyrelu::{DynamicActivation, Layer, dynamic_activation};
use ndarray::ArrayD;

/// The step of the differences.
const STEP: f64 = 1e-5;

/// How many differences were compared, and how many of them had a kink within the step.
#[derive(Default)]
struct Count {
    all: u32,
    kinks: u32,
}

impl Count {
    /// Compares a derivative with the differences of the loss along one coordinate.
    fn compare(&mut self, what: &str, derivative: f64, loss: impl Fn(f64) -> f64) {
        let (before, here, after) = (loss(-STEP), loss(0.0), loss(STEP));
        let close = |difference: f64| (difference - derivative).abs() <= 2e-6 * (1.0 + derivative.abs());
        self.all += 1;
        if close((after - before) / (2.0 * STEP)) {
            return;
        }
        // Where a maximum changes its piece within the step, the derivative is that of one side. A one-sided
        // difference is less accurate, so halve its error by a second one of twice the step.
        self.kinks += 1;
        let left = 2.0 * (here - before) / STEP - (here - loss(-2.0 * STEP)) / (2.0 * STEP);
        let right = 2.0 * (after - here) / STEP - (loss(2.0 * STEP) - here) / (2.0 * STEP);
        assert!(
            close(left) || close(right),
            "{what}: derivative {derivative}, differences {left} and {right}"
        );
    }
}

fn check<A: DynamicActivation>(count: &mut Count) {
    let shapes: [&[usize]; 4] = [&[3, 5], &[2, 3, 4], &[2, 3, 2, 3], &[1, 3, 2, 1, 3]];
    for (seed, shape) in (0..).zip(shapes) {
        let mut layer = A::layer::<f64>(shape[1]).hidden(2).build().unwrap();
        randomise(&mut layer, 100 + seed);
        check_layer(&layer, shape, seed, count);
    }
}

fn check_layer<A: DynamicActivation>(layer: &Layer<A, f64>, shape: &[usize], seed: u64, count: &mut Count) {
    let x = random::<f64>(shape, 200 + seed);
    let grad_y = random::<f64>(shape, 300 + seed);
    let loss = |layer: &Layer<A, f64>, x: &ArrayD<f64>| (layer.forward(x).unwrap() * &grad_y).sum();

    let (_, cache) = layer.forward_train(&x).unwrap();
    let grads = layer.backward(&x, &cache, &grad_y).unwrap();
    for (i, &derivative) in grads.x.iter().enumerate() {
        count.compare(&format!("{layer:?}, {shape:?}, x[{i}]"), derivative, |step| {
            let mut x = x.clone();
            x.as_slice_mut().unwrap()[i] += step;
            loss(layer, &x)
        });
    }
    for (name, grad) in grads.parameters() {
        for (i, &derivative) in grad.iter().enumerate() {
            count.compare(
                &format!("{layer:?}, {shape:?}, {name}[{i}]"),
                derivative,
                |step| {
                    let mut layer = layer.clone();
                    layer.parameter_mut(name).unwrap().as_slice_mut().unwrap()[i] += step;
                    loss(&layer, &x)
                },
            );
        }
    }
}

/// One test for each piece: all modes, K from 1 to 5, all ways to combine, ranks 2 to 5.
macro_rules! piece {
    ($test:ident: $($argument:tt)*) => {
        #[test]
        fn $test() {
            let mut count = Count::default();
            piece!(@share count "spatial+channel" ($($argument)*));
            piece!(@share count "spatial" ($($argument)*));
            piece!(@share count "none" ($($argument)*));
            println!("{} of {} differences had a kink within the step", count.kinks, count.all);
            assert!(count.all > 10_000 && count.kinks * 1000 < count.all);
        }
    };
    (@share $count:ident $share:tt $arguments:tt) => {
        piece!(@combine $count $share "max" $arguments);
        piece!(@combine $count $share "min" $arguments);
        piece!(@combine $count $share "sum" $arguments);
    };
    (@combine $count:ident $share:tt $combine:tt $arguments:tt) => {
        piece!(@k $count $share $combine 1 $arguments);
        piece!(@k $count $share $combine 2 $arguments);
        piece!(@k $count $share $combine 3 $arguments);
        piece!(@k $count $share $combine 4 $arguments);
        piece!(@k $count $share $combine 5 $arguments);
    };
    (@k $count:ident $share:tt $combine:tt $k:tt ($($argument:tt)*)) => {{
        #[dynamic_activation(k = $k, share = $share, combine = $combine, $($argument)*)]
        struct Activation;
        check::<Activation>(&mut $count);
    }};
}

// The paper's piece, with its defaults. It is homogeneous in its coefficients, the others are not: mode C differs.
piece!(affine: );
piece!(swish: init(a = 1.0, b = 1.0, c = 0.0), piece = |x, a, b, c| a * x * sigmoid(b * x) + c);
piece!(branch: init(a = 1.0, b = 0.5, t = 0.1), lambda(t = 0.3), piece = |x, a, b, t| {
    let u = x - t;
    if u > 0.0 { a * u } else { b * exp_m1(u) }
});
piece!(softsign: init(a = 1.2, b = 0.3), lambda(a = 0.5), piece = |x, a, b| {
    let s = a * x + b;
    s / (1.0 + abs(s))
});
