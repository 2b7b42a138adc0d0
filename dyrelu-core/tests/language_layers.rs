//! What all layers have in common, for the gallery and for other activations of the whole language: how arrays lie in
//! memory, how a layer is called, which samples depend on each other, gradients, checkpoints.

// Here and not in the root package, whose tests are compiled without optimisation.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{any_layer, assert_close, bind, channels_last, random, random_context};
use core::fmt;
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::safetensors::tensor::{TensorView, serialize};
use dyrelu::safetensors::{Dtype, SafeTensors};
use dyrelu::{
    Cache, Coefficient, Context, DynamicActivation, Error, Gradients, Layer, Scalar, Sharing, Source,
    dynamic_activation,
};
use ndarray::{Array, ArrayD, ArrayRef, Axis, Dimension, IxDyn, ShapeBuilder, Slice};

macro_rules! activations {
    ($($name:ident: $share:literal ($($argument:tt)*);)*) => {$(
        #[dynamic_activation(share = $share, $($argument)*)]
        struct $name;
    )*};
}

activations! {
    // No coefficient is dynamic.
    LinesC: "none" (k = 2, learned(a = [1.0, 0.0], b = 0.0));
    SwishC: "none" (k = 1, piece = |x, a, b| a * x * sigmoid(b * x), learned(a = 1.0, b = shared(1.0)));
    NothingC: "none" (k = 2, piece = [|x| x, |x, slope| slope * x], fixed(slope = 0.01));
    NormalisedLinesC: "none" (k = 2, learned(a = [1.0, 0.0], b = 0.0), attention = "normalised");
    // Some are.
    MixedA: "spatial+channel" (k = 2, learned(b = 0.0), init(a = [1.0, 0.0]));
    MixedC: "none" (k = 2, piece = |x, a, b, c| a * x + tanh(b * x) + c, learned(b = 1.0), init(a = 1.0, c = 0.0));
    // Neighbours.
    ShiftA: "spatial+channel" (
        k = 2, piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, -1)), init(a = 1.0, b = 0.0)
    );
    ShiftLearned: "spatial" (
        k = 1, piece = |x, s, t, a, b| a * x + b * s * t, neighbours(s = shift(1, 0), t = shift(-1, 2)),
        learned(a = 1.0, b = 0.5)
    );
    ShiftC: "none" (k = 2, piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 0)), init(a = 1.0, b = 0.0));
    ShiftCurvedC: "none" (
        k = 2, combine = "sum", piece = |x, s, a, b| a * x * x + tanh(b * s), neighbours(s = shift(0, 1)),
        init(a = 1.0, b = 0.0)
    );
    ShiftNormalisedC: "none" (
        k = 2, piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(0, 1)), init(a = 1.0, b = 0.0),
        attention = "normalised"
    );
    ShiftOnly: "spatial" (k = 1, piece = |x, s| max(x, s), neighbours(s = shift(0, 1)));
    // Other contexts.
    HalvesA: "spatial+channel" (k = 2, hyper(context = "pooled halves"));
    HalvesC: "none" (k = 2, hyper(context = "pooled halves"));
    HalvesNormalisedC: "none" (k = 2, hyper(context = "pooled halves"), attention = "normalised");
    ExternalA: "spatial+channel" (k = 2, hyper(context = "external", layers = 1));
    ExternalC: "none" (k = 2, hyper(context = "external"));
    ExternalCurvedC: "none" (
        k = 1, piece = |x, a, b| a * x * sigmoid(b * x), init(a = 1.0, b = 1.0), hyper(context = "external", layers = 0)
    );
    ExternalNormalisedC: "none" (k = 2, hyper(context = "external"), attention = "normalised");
    ExternalShiftC: "none" (
        k = 1, piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 0)), init(a = 1.0, b = 0.0),
        hyper(context = "external")
    );
}

/// All that one call after the other computes.
#[derive(Debug)]
struct Results<T: Scalar> {
    y: ArrayD<T>,
    cache: Cache<T>,
    grads: Gradients<T, IxDyn>,
}

/// A layer of any activation, so that checks are compiled once for each number type.
trait AnyLayer<T: Scalar>: fmt::Debug {
    fn about(&self) -> About;
    /// The context of these samples that it needs, if any.
    fn context(&self, samples: usize, seed: u64) -> Option<ArrayD<T>>;
    fn forward(&self, context: Option<&ArrayD<T>>, x: &ArrayRef<T, IxDyn>) -> ArrayD<T>;
    fn forward_into(&self, context: Option<&ArrayD<T>>, x: &ArrayD<T>, y: &mut ArrayD<T>);
    fn forward_inplace(&self, context: Option<&ArrayD<T>>, x: &mut ArrayD<T>);
    fn run(&self, context: Option<&ArrayD<T>>, x: &ArrayD<T>, grad_y: &ArrayD<T>) -> Results<T>;
    fn forward_train_into(
        &self,
        context: Option<&ArrayD<T>>,
        x: &ArrayD<T>,
        y: &mut ArrayD<T>,
        cache: &mut Cache<T>,
    );
    fn backward_into(
        &self,
        context: Option<&ArrayD<T>>,
        arrays: [&ArrayD<T>; 2],
        cache: &Cache<T>,
        grads: &mut Gradients<T, IxDyn>,
    );
    fn statistics(&self) -> Option<(f64, f64)>;
    fn update_statistics(&mut self, cache: &Cache<T>);
    /// Another layer whose i-th parameter is further by `by(i, shape)`.
    fn moved(&self, by: &dyn Fn(u64, &[usize]) -> ArrayD<T>) -> Box<dyn AnyLayer<T>>;
    fn to_bytes(&self) -> Vec<u8>;
    fn loaded_from(&self, bytes: &[u8]) -> Result<Box<dyn AnyLayer<T>>, Error>;
    fn load(&mut self, bytes: &[u8], prefix: &str) -> Result<(), Error>;
    /// A layer of the same activation and size without further options.
    fn plain(&self) -> Box<dyn AnyLayer<T>>;
}

/// What a check depends on.
struct About {
    name: &'static str,
    groups: usize,
    /// Whether an element of y depends on no other element of x.
    elementwise: bool,
    /// Whether the forward pass has the same bits where channels are last in memory.
    same_bits: bool,
}

/// Makes a layer of this many channels with this seed.
type Make<T> = fn(usize, u64) -> Box<dyn AnyLayer<T>>;

fn make<A: DynamicActivation, T: Scalar>(channels: usize, seed: u64) -> Box<dyn AnyLayer<T>> {
    Box::new(any_layer::<A, T>(channels, seed))
}

impl<A: DynamicActivation, T: Scalar> AnyLayer<T> for Layer<A, T> {
    fn about(&self) -> About {
        let learned = |coefficient: &Coefficient| matches!(coefficient.source, Source::Learned { .. });
        let is_static = A::COEFFICIENTS.iter().all(learned);
        // Other arrays are brought into standard layout before they are seen.
        let copied = A::SHARING == Sharing::Unshared || !A::NEIGHBOURS.is_empty();
        About {
            name: A::NAME,
            groups: self.groups(),
            elementwise: is_static && !copied,
            same_bits: is_static || copied || A::HYPER.context != Context::PooledHalves,
        }
    }

    fn context(&self, samples: usize, seed: u64) -> Option<ArrayD<T>> {
        random_context::<A, T>([samples, self.channels()], seed)
    }

    fn forward(&self, context: Option<&ArrayD<T>>, x: &ArrayRef<T, IxDyn>) -> ArrayD<T> {
        bind(self, context).forward(x)
    }

    fn forward_into(&self, context: Option<&ArrayD<T>>, x: &ArrayD<T>, y: &mut ArrayD<T>) {
        bind(self, context).forward_into(x, y);
    }

    fn forward_inplace(&self, context: Option<&ArrayD<T>>, x: &mut ArrayD<T>) {
        bind(self, context).forward_inplace(x);
    }

    fn run(&self, context: Option<&ArrayD<T>>, x: &ArrayD<T>, grad_y: &ArrayD<T>) -> Results<T> {
        let bound = bind(self, context);
        let (y, cache) = bound.forward_train(x);
        let grads = bound.backward(x, &cache, grad_y);
        Results { y, cache, grads }
    }

    fn forward_train_into(
        &self,
        context: Option<&ArrayD<T>>,
        x: &ArrayD<T>,
        y: &mut ArrayD<T>,
        cache: &mut Cache<T>,
    ) {
        bind(self, context).forward_train_into(x, y, cache);
    }

    fn backward_into(
        &self,
        context: Option<&ArrayD<T>>,
        [x, grad_y]: [&ArrayD<T>; 2],
        cache: &Cache<T>,
        grads: &mut Gradients<T, IxDyn>,
    ) {
        bind(self, context).backward_into(x, cache, grad_y, grads);
    }

    fn statistics(&self) -> Option<(f64, f64)> {
        self.running_statistics()
    }

    fn update_statistics(&mut self, cache: &Cache<T>) {
        Layer::update_statistics(self, cache).unwrap();
    }

    fn moved(&self, by: &dyn Fn(u64, &[usize]) -> ArrayD<T>) -> Box<dyn AnyLayer<T>> {
        let mut moved = self.clone();
        for (i, (_, mut values)) in (0..).zip(moved.parameters_mut()) {
            let by = by(i, values.shape());
            values.zip_mut_with(&by, |value, &by| *value += by);
        }
        Box::new(moved)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_safetensors().unwrap()
    }

    fn loaded_from(&self, bytes: &[u8]) -> Result<Box<dyn AnyLayer<T>>, Error> {
        Ok(Box::new(Self::from_safetensors(bytes)?))
    }

    fn load(&mut self, bytes: &[u8], prefix: &str) -> Result<(), Error> {
        let tensors = SafeTensors::deserialize(bytes).unwrap();
        self.load_tensors(&tensors, prefix).map(drop)
    }

    fn plain(&self) -> Box<dyn AnyLayer<T>> {
        let mut builder = A::layer::<T>(self.channels());
        if let Some(context) = random_context::<A, T>([1, self.channels()], 1) {
            builder = builder.context_channels(context.shape()[1]);
        }
        Box::new(builder.build().unwrap())
    }
}

/// Whether the numbers are the same bits.
#[track_caller]
fn assert_same<T: Scalar>(what: &str, found: &ArrayD<T>, expected: &ArrayD<T>) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let bits = |value: &T| value.to_f64().to_bits();
    for ((i, found), expected) in found.indexed_iter().zip(expected) {
        assert!(
            bits(found) == bits(expected),
            "{what}: element {i:?} is {found}, expected {expected}"
        );
    }
}

/// Whether all gradients, but for that of x, are the same bits.
#[track_caller]
fn assert_same_gradients<T: Scalar>(what: &str, found: &Gradients<T, IxDyn>, expected: &Gradients<T, IxDyn>) {
    for ((name, found), (_, expected)) in found.parameters().zip(expected.parameters()) {
        assert_same(
            &format!("{what}: {name}"),
            &found.to_owned(),
            &expected.to_owned(),
        );
    }
    assert_eq!(found.context.is_some(), expected.context.is_some(), "{what}");
    if let (Some(found), Some(expected)) = (&found.context, &expected.context) {
        assert_same(&format!("{what}: context"), found, expected);
    }
}

#[track_caller]
fn assert_close_gradients<T: Scalar>(
    what: &str,
    found: &Gradients<T, IxDyn>,
    expected: &Gradients<T, IxDyn>,
    tolerance: f64,
) {
    // Relative to the largest gradient of all parameters: one may be nothing but rounding errors.
    let joined = |grads: &Gradients<T, IxDyn>| -> ArrayD<T> {
        let parameters = grads.parameters().flat_map(|(_, grad)| grad.into_iter().copied());
        let context = grads.context.iter().flatten().copied();
        Array::from_iter(parameters.chain(context)).into_dyn()
    };
    assert_close(what, &joined(found), &joined(expected), tolerance);
}

fn tolerance<T: Scalar>() -> f64 {
    if T::DTYPE == Dtype::F32 { 2e-5 } else { 1e-13 }
}

/// The same numbers in other places of the memory, by name.
fn layouts<T: Scalar>(x: &ArrayD<T>) -> Vec<(&'static str, ArrayD<T>)> {
    let last = x.ndim() - 1;
    let mut fortran = ArrayD::from_elem(x.raw_dim().f(), T::default());
    fortran.assign(x);
    let mut twice = x.raw_dim();
    twice[last] *= 2;
    twice[1] *= 2;
    let mut strided = ArrayD::from_elem(twice, T::from_f64(f64::NAN));
    for axis in [1, last] {
        strided.slice_axis_inplace(Axis(axis), Slice::new(0, None, 2));
    }
    strided.assign(x);
    let mut reversed = x.clone();
    reversed.invert_axis(Axis(0));
    reversed.invert_axis(Axis(last));
    reversed.assign(x);
    let mut samples_inside = x
        .clone()
        .permuted_axes(IxDyn(&(0..=last).rev().collect::<Vec<_>>()));
    samples_inside = samples_inside.as_standard_layout().into_owned().reversed_axes();
    vec![
        ("channels last", channels_last(x)),
        ("Fortran order", fortran),
        ("every second channel and column", strided),
        ("backwards", reversed),
        ("transposed", samples_inside),
    ]
}

fn any_place_in_memory<T: Scalar>(make: Make<T>) {
    for shape in [&[2, 6, 5, 7][..], &[3, 18, 3], &[5, 6]] {
        let layer = make(shape[1], 1);
        let context = layer.context(shape[0], 2);
        let (x, grad_y) = (random::<T>(shape, 3), random::<T>(shape, 4));
        let expected = layer.run(context.as_ref(), &x, &grad_y);
        let inference = layer.forward(context.as_ref(), &x);
        for ((name, of_x), (_, of_grad_y)) in layouts(&x).into_iter().zip(layouts(&grad_y)) {
            let what = format!("{layer:?}, {shape:?}, {name}");
            let assert_same_y = |how: &str, found: &ArrayD<T>, expected: &ArrayD<T>| {
                if layer.about().same_bits {
                    assert_same(&format!("{what}: {how}"), found, expected);
                } else {
                    assert_close(&format!("{what}: {how}"), found, expected, tolerance::<T>());
                }
            };
            assert_same_y("forward", &layer.forward(context.as_ref(), &of_x), &inference);
            let mut y = of_grad_y.clone();
            layer.forward_into(context.as_ref(), &x, &mut y);
            assert_same_y("only y", &y, &inference);
            layer.forward_into(context.as_ref(), &of_x, &mut y);
            assert_same_y("x and y", &y, &inference);
            let mut y = x.clone();
            layer.forward_into(context.as_ref(), &of_x, &mut y);
            assert_same_y("only x", &y, &inference);
            let mut inplace = of_x.clone();
            layer.forward_inplace(context.as_ref(), &mut inplace);
            assert_same_y("in place", &inplace, &inference);
            for (x, grad_y) in [(&of_x, &of_grad_y), (&x, &of_grad_y), (&of_x, &grad_y)] {
                let found = layer.run(context.as_ref(), x, grad_y);
                assert_same_y("training", &found.y, &expected.y);
                assert_close(&what, &found.grads.x, &expected.grads.x, tolerance::<T>());
                assert_close_gradients(&what, &found.grads, &expected.grads, tolerance::<T>());
                let mut grads = expected.grads.clone();
                grads.x.clone_from(&of_grad_y);
                layer.backward_into(context.as_ref(), [x, grad_y], &found.cache, &mut grads);
                assert_same(&format!("{what}: reused"), &grads.x, &found.grads.x);
                assert_same_gradients(&format!("{what}: reused"), &grads, &found.grads);
            }
        }
        // Each element of a broadcast array is there once.
        let mut row = x.slice_axis(Axis(0), Slice::new(0, Some(1), 1));
        if shape.len() > 2 {
            row.slice_axis_inplace(Axis(2), Slice::new(0, Some(1), 1));
        }
        let view = row.broadcast(IxDyn(shape)).unwrap();
        assert_same(
            &format!("{layer:?}, broadcast"),
            &layer.forward(context.as_ref(), &view),
            &layer.forward(context.as_ref(), &view.to_owned()),
        );
    }
}

/// The number of spatial axes does not matter, only the positions.
fn any_rank<T: Scalar>(make: Make<T>) {
    let maps: [&[usize]; 5] = [
        &[2, 6, 12],
        &[2, 6, 3, 4],
        &[2, 6, 1, 12],
        &[2, 6, 3, 2, 2],
        &[2, 6, 2, 3, 1, 2],
    ];
    let points: [&[usize]; 4] = [&[2, 6], &[2, 6, 1], &[2, 6, 1, 1], &[2, 6, 1, 1, 1]];
    for shapes in [&maps[..], &points] {
        let layer = make(6, 1);
        let context = layer.context(2, 2);
        let run =
            |shape: &[usize]| layer.run(context.as_ref(), &random::<T>(shape, 3), &random::<T>(shape, 4));
        let expected = run(shapes[0]);
        for shape in &shapes[1..] {
            let found = run(shape);
            let what = format!("{layer:?}, {shape:?}");
            let flat = |array: &ArrayD<T>| array.to_shape(IxDyn(shapes[0])).unwrap().into_owned();
            assert_same(&what, &flat(&found.y), &expected.y);
            assert_same(&what, &flat(&found.grads.x), &expected.grads.x);
            assert_same_gradients(&what, &found.grads, &expected.grads);
        }
    }
}

fn nothing_gives_nothing<T: Scalar>(make: Make<T>) {
    for shape in [
        &[0, 6, 3][..],
        &[0, 6],
        &[2, 6, 0],
        &[2, 6, 0, 4],
        &[2, 6, 4, 0],
        &[0, 6, 0],
    ] {
        let mut layer = make(6, 1);
        let context = layer.context(shape[0], 2);
        let x = random::<T>(shape, 3);
        assert_eq!(layer.forward(context.as_ref(), &x).shape(), shape);
        let Results { y, cache, grads } = layer.run(context.as_ref(), &x, &x);
        let what = format!("{layer:?}, {shape:?}");
        assert_eq!((y.shape(), grads.x.shape()), (shape, shape), "{what}");
        for (name, grad) in grads.parameters() {
            assert!(
                grad.iter().all(|grad| grad.to_f64() == 0.0),
                "{what}: {name} {grad}"
            );
        }
        let shapes =
            [&grads.context, &context].map(|array| array.as_ref().map(|array| array.shape().to_vec()));
        assert_eq!(shapes[0], shapes[1], "{what}");
        assert!(
            grads.context.iter().flatten().all(|grad| grad.to_f64() == 0.0),
            "{what}"
        );
        let before = layer.statistics();
        layer.update_statistics(&cache);
        assert_eq!(layer.statistics(), before, "{what}");
    }
}

fn every_way_to_call<T: Scalar>(make: Make<T>) {
    let shapes: [&[usize]; 4] = [&[3, 6, 5, 7], &[2, 6, 1, 1], &[4, 6, 9, 2], &[1, 6, 3, 31]];
    let layer = make(6, 1);
    let (mut cache, mut grads): (_, Option<Gradients<T, IxDyn>>) = (Cache::default(), None);
    for shape in shapes {
        let context = layer.context(shape[0], 2);
        let (x, grad_y) = (random::<T>(shape, 3), random::<T>(shape, 4));
        for (x, grad_y) in [
            (x.clone(), grad_y.clone()),
            (channels_last(&x), channels_last(&grad_y)),
        ] {
            let what = format!("{layer:?}, {shape:?}, {:?}", x.strides());
            let expected = layer.run(context.as_ref(), &x, &grad_y);
            let y = layer.forward(context.as_ref(), &x);
            if layer.statistics().is_none() {
                assert_same(&what, &y, &expected.y);
            }
            let mut found = x.mapv(|_| T::from_f64(f64::NAN));
            layer.forward_into(context.as_ref(), &x, &mut found);
            assert_same(&format!("{what}: into"), &found, &y);
            let mut found = x.clone();
            layer.forward_inplace(context.as_ref(), &mut found);
            assert_same(&format!("{what}: in place"), &found, &y);
            // The cache and the gradients are those of the shape before.
            let mut found = x.mapv(|_| T::from_f64(f64::NAN));
            layer.forward_train_into(context.as_ref(), &x, &mut found, &mut cache);
            assert_same(&format!("{what}: training into"), &found, &expected.y);
            let grads = grads.get_or_insert_with(|| expected.grads.clone());
            layer.backward_into(context.as_ref(), [&x, &grad_y], &cache, grads);
            assert_same(&format!("{what}: gradient of x"), &grads.x, &expected.grads.x);
            assert_same_gradients(&what, grads, &expected.grads);
        }
    }
}

/// Each sample alone gives what it gives in a batch. A normalised attention sees the batch when it is trained.
fn samples_alone<T: Scalar>(make: Make<T>) {
    let shape = [5, 6, 3, 5];
    let layer = make(6, 1);
    let context = layer.context(5, 2);
    let (x, grad_y) = (random::<T>(&shape, 3), random::<T>(&shape, 4));
    let y = layer.forward(context.as_ref(), &x);
    let batch = layer.run(context.as_ref(), &x, &grad_y);
    let mut sums: Vec<ArrayD<T>> = batch
        .grads
        .parameters()
        .map(|(_, grad)| grad.mapv(|_| T::default()))
        .collect();
    for n in 0..5 {
        let of_sample = |array: &ArrayD<T>| array.slice_axis(Axis(0), Slice::from(n..=n)).to_owned();
        let context = context.as_ref().map(of_sample);
        let what = format!("{layer:?}, sample {n}");
        let found = layer.forward(context.as_ref(), &of_sample(&x));
        assert_same(&what, &found, &of_sample(&y));
        if layer.statistics().is_some() {
            continue;
        }
        let found = layer.run(context.as_ref(), &of_sample(&x), &of_sample(&grad_y));
        assert_same(&what, &found.y, &of_sample(&batch.y));
        assert_same(&what, &found.grads.x, &of_sample(&batch.grads.x));
        for (sum, (_, grad)) in sums.iter_mut().zip(found.grads.parameters()) {
            sum.zip_mut_with(&grad, |sum, &grad| *sum += grad);
        }
    }
    if layer.statistics().is_none() {
        for ((name, grad), sum) in batch.grads.parameters().zip(&sums) {
            assert_close(
                &format!("{layer:?}: {name}"),
                &grad.to_owned(),
                sum,
                tolerance::<T>(),
            );
        }
    }
}

/// Special numbers stay in their sample, and in their element where nothing follows from the others.
fn special_numbers<T: Scalar>(make: Make<T>) {
    let layer = make(6, 1);
    let context = layer.context(3, 2);
    let alone = layer.about().elementwise;
    for last in [false, true] {
        for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let place = [1, 3, 2, 4];
            let mut x = random::<T>(&[3, 6, 5, 7], 3);
            if last {
                x = channels_last(&x);
            }
            let clean = layer.forward(context.as_ref(), &x);
            x[place] = T::from_f64(special);
            let spoiled = layer.forward(context.as_ref(), &x);
            for ((i, found), expected) in spoiled.indexed_iter().zip(&clean) {
                let free = i[0] != place[0] || alone && i.slice() != place.as_slice();
                assert!(
                    !free || found == expected,
                    "{layer:?}: {special} in {place:?} reaches {i:?}, {found} instead of {expected}"
                );
            }
            if special.is_nan() {
                assert!(spoiled[place].to_f64().is_nan(), "{layer:?}");
            }
            if alone {
                let grad_y = random::<T>(&[3, 6, 5, 7], 4);
                let found = layer.run(context.as_ref(), &x, &grad_y).grads.x;
                x[place] = T::default();
                let expected = layer.run(context.as_ref(), &x, &grad_y).grads.x;
                for ((i, found), expected) in found.indexed_iter().zip(&expected) {
                    assert!(
                        i.slice() == place.as_slice() || found == expected,
                        "{layer:?}: gradient {i:?}"
                    );
                }
            }
        }
    }
}

/// The gradient along random directions of x, of the context and of all parameters is the difference quotient.
fn differences(make: Make<f64>) {
    let shapes: [&[usize]; 8] = [
        &[2, 6, 3, 5],
        &[3, 1, 4],
        &[1, 1],
        &[1, 1, 1, 1],
        &[3, 6],
        &[2, 6, 1, 1],
        &[1, 6, 37],
        &[2, 4, 2, 2, 3],
    ];
    for (seed, shape) in (0..).map(|i| 1000 * i).zip(shapes) {
        let layer = make(shape[1], seed + 1);
        let context = layer.context(shape[0], seed + 2);
        let (x, grad_y) = (random::<f64>(shape, seed + 3), random::<f64>(shape, seed + 4));
        let direction = |i: u64, shape: &[usize]| random::<f64>(shape, seed + 100 + i);
        let loss = |step: f64| {
            let layer = layer.moved(&|i, shape| direction(2 + i, shape) * step);
            let context = context.as_ref();
            let context = context.map(|context| context + &(direction(1, context.shape()) * step));
            let x = &x + &(direction(0, shape) * step);
            (layer.run(context.as_ref(), &x, &grad_y).y * &grad_y).sum()
        };
        let grads = layer.run(context.as_ref(), &x, &grad_y).grads;
        let along = |i: u64, grad: &ArrayD<f64>| (grad * &direction(i, grad.shape())).sum();
        let mut expected = along(0, &grads.x);
        expected += grads.context.as_ref().map_or(0.0, |grad| along(1, grad));
        for (i, (_, grad)) in (2..).zip(grads.parameters()) {
            expected += along(i, &grad.to_owned());
        }
        let step = 1e-5;
        let found = (loss(step) - loss(-step)) / (2.0 * step);
        assert!(
            (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
            "{layer:?}, {shape:?}: the difference quotient is {found}, the gradient {expected}"
        );
    }
}

/// The positions of a large map in another order: the same y and gradients in that order.
fn a_large_map<T: Scalar>(make: Make<T>) {
    let shape = [1, 8, 130, 131];
    let layer = make(8, 1);
    let context = layer.context(1, 2);
    let (x, grad_y) = (random::<T>(&shape, 3), random::<T>(&shape, 4));
    let turned = |array: &ArrayD<T>| {
        let mut turned = array.clone();
        turned.invert_axis(Axis(2));
        turned.invert_axis(Axis(3));
        turned.as_standard_layout().into_owned()
    };
    let (y, found) = (
        layer.forward(context.as_ref(), &x),
        layer.forward(context.as_ref(), &turned(&x)),
    );
    assert_close(&format!("{layer:?}"), &turned(&found), &y, tolerance::<T>());
    let found = layer.forward(context.as_ref(), &channels_last(&x));
    let what = format!("{layer:?}, channels last");
    if layer.about().same_bits {
        assert_same(&what, &found, &y);
    } else {
        assert_close(&what, &found, &y, tolerance::<T>());
    }
    // In `f32` another rounding of coefficients lets another piece win here and there.
    if T::DTYPE == Dtype::F64 {
        let expected = layer.run(context.as_ref(), &x, &grad_y);
        let what = format!("{layer:?}, gradients");
        let found = layer.run(context.as_ref(), &turned(&x), &turned(&grad_y));
        assert_close(&what, &turned(&found.grads.x), &expected.grads.x, 1e-11);
        assert_close_gradients(&what, &found.grads, &expected.grads, 1e-11);
        let found = layer.run(context.as_ref(), &channels_last(&x), &channels_last(&grad_y));
        assert_close(&what, &found.grads.x, &expected.grads.x, 1e-11);
        assert_close_gradients(&what, &found.grads, &expected.grads, 1e-11);
    }
}

/// Names, shapes and bytes of a checkpoint, to be written as another.
type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

fn tensors_of(bytes: &[u8]) -> Tensors {
    let tensors = SafeTensors::deserialize(bytes).unwrap().tensors();
    let tensors = tensors.into_iter();
    tensors
        .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
        .collect()
}

/// A file without metadata, all names after a prefix.
fn file<T: Scalar>(tensors: &Tensors, prefix: &str) -> Vec<u8> {
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            format!("{prefix}{name}"),
            TensorView::new(T::DTYPE, shape.clone(), bytes).unwrap(),
        )
    });
    serialize(views, None).unwrap()
}

fn checkpoints<T: Scalar>(make: Make<T>) {
    let layer = make(6, 1);
    let context = layer.context(2, 2);
    let x = random::<T>(&[2, 6, 5, 7], 3);
    let y = layer.forward(context.as_ref(), &x);
    let bytes = layer.to_bytes();
    assert!(layer.to_bytes() == bytes, "{layer:?}: other bytes");

    let loaded = layer.loaded_from(&bytes).unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{layer:?}"));
    assert_eq!(loaded.about().groups, layer.about().groups);
    assert_eq!(loaded.statistics(), layer.statistics(), "{layer:?}");
    assert_same(
        &format!("{layer:?}, loaded"),
        &loaded.forward(context.as_ref(), &x),
        &y,
    );
    assert!(loaded.to_bytes() == bytes, "{layer:?}: other bytes when loaded");

    let mut other = make(6, 2);
    let before = other.to_bytes();
    let tensors = tensors_of(&bytes);
    let mut refuse = |tensors: &Tensors| {
        let bytes = file::<T>(tensors, "a.b.");
        let error = other.load(&bytes, "a.b.");
        assert!(other.to_bytes() == before, "the layer has changed");
        error.unwrap_err()
    };
    for i in 0..tensors.len() {
        let (name, shape, _) = &tensors[i];
        let full = format!("a.b.{name}");
        let mut missing = tensors.clone();
        missing.remove(i);
        let error = refuse(&missing);
        assert!(
            matches!(&error, Error::MissingTensor { name, .. } if *name == full),
            "{error}"
        );
        let mut wrong = tensors.clone();
        wrong[i].1 = [&[1], &shape[..]].concat();
        if wrong[i].1.iter().any(|&len| len != 1) {
            let error = refuse(&wrong);
            assert!(
                matches!(&error, Error::TensorShape { name, .. } if *name == full),
                "{error}"
            );
        }
    }
    let mut unknown = tensors.clone();
    unknown.push(("fc3.weight".to_owned(), vec![0], vec![]));
    let error = refuse(&unknown);
    assert!(
        matches!(&error, Error::UnknownTensor { name, .. } if name == "a.b.fc3.weight"),
        "{error}"
    );

    // A part of a larger file.
    let mut network = tensors.clone();
    for (name, ..) in &mut network {
        *name = format!("a.b.{name}");
    }
    network.push(("a.c.weight".to_owned(), vec![0], vec![]));
    let network = file::<T>(&network, "");
    other.load(&network, "a.b.").unwrap();
    assert_same(
        &format!("{layer:?}, a part"),
        &other.forward(context.as_ref(), &x),
        &y,
    );

    // Without metadata, as another program writes it: with the default options.
    let bytes = file::<T>(&tensors, "");
    let loaded = layer.loaded_from(&bytes);
    if let Some((_, message)) = WITHOUT_METADATA
        .iter()
        .find(|(name, _)| *name == layer.about().name)
    {
        assert_eq!(loaded.unwrap_err().to_string(), *message, "{layer:?}");
        return;
    }
    let mut plain = layer.plain();
    plain.load(&bytes, "").unwrap();
    assert_same(
        &format!("{layer:?}, without metadata"),
        &loaded.unwrap().forward(context.as_ref(), &x),
        &plain.forward(context.as_ref(), &x),
    );
}

const NO_CHANNELS: &str =
    "expected the metadata `options` to be `channels=…`, which no tensor of this activation tells, found ``";
const NO_GROUPS: &str = "expected groups to be set: a neighbour is groups further, found none";

/// The activations whose tensors do not tell everything.
const WITHOUT_METADATA: [(&str, &str); 13] = [
    ("ARelu", NO_CHANNELS),
    ("LeakyRelu", NO_CHANNELS),
    ("Plu", NO_CHANNELS),
    ("HardSwish", NO_CHANNELS),
    ("DyHeadBetween", NO_CHANNELS),
    ("ExternalA", NO_CHANNELS),
    ("ShiftOnly", NO_CHANNELS),
    ("DyShiftMax", NO_GROUPS),
    ("DyShiftMaxMicroNet", NO_GROUPS),
    ("ShiftA", NO_GROUPS),
    ("ShiftLearned", NO_GROUPS),
    ("ShiftC", NO_GROUPS),
    ("ExternalShiftC", NO_GROUPS),
];

macro_rules! tests {
    (all $all:tt others $others:tt) => {
        tests! { @checks all_of_f32 f32 $all
            any_place_in_memory any_rank nothing_gives_nothing every_way_to_call samples_alone special_numbers
            a_large_map checkpoints }
        tests! { @checks all_of_f64 f64 $all
            any_place_in_memory any_rank nothing_gives_nothing every_way_to_call samples_alone special_numbers
            a_large_map checkpoints }
        tests! { @checks others_of_f64 f64 $others
            any_place_in_memory any_rank nothing_gives_nothing every_way_to_call samples_alone special_numbers
            a_large_map checkpoints }
        tests! { @differences all_as_finite_differences_say $all }
        tests! { @differences others_as_finite_differences_say $others }
    };
    (@checks $module:ident $type:ident $activations:tt $($check:ident)*) => {
        mod $module {
            $(tests! { @check $check $type $activations })*
        }
    };
    (@check $check:ident $type:ident ($($activation:ident $test:ident;)*)) => {
        mod $check {
            $(#[test]
            fn $test() {
                crate::$check::<$type>(crate::make::<crate::$activation, $type>);
            })*
        }
    };
    (@differences $module:ident ($($activation:ident $test:ident;)*)) => {
        mod $module {
            $(#[test]
            fn $test() {
                crate::differences(crate::make::<crate::$activation, f64>);
            })*
        }
    };
}

tests! {
    all (
        DyReluA dy_relu_a;
        DyReluB dy_relu_b;
        DyReluC dy_relu_c;
        OneDynamicPiece one_dynamic_piece;
        DyHead dy_head;
        DyHeadBetween dy_head_between;
        DyReluNormalised dy_relu_normalised;
        DyShiftMax dy_shift_max;
        DyShiftMaxMicroNet dy_shift_max_micro_net;
        SqueezeExcite squeeze_excite;
        ApRelu ap_relu;
        DynamicSwish dynamic_swish;
        MetaAcon meta_acon;
        AconC acon_c;
        LeakyRelu leaky_relu;
        PRelu p_relu;
        Maxout maxout;
        Apl apl;
        SRelu s_relu;
        Plu plu;
        Pwlu pwlu;
        ARelu a_relu;
        DyT dy_t;
        HardSwish hard_swish;
    )
    others (
        LinesC lines_c;
        SwishC swish_c;
        NothingC nothing_c;
        NormalisedLinesC normalised_lines_c;
        MixedA mixed_a;
        MixedC mixed_c;
        ShiftA shift_a;
        ShiftLearned shift_learned;
        ShiftC shift_c;
        ShiftCurvedC shift_curved_c;
        ShiftNormalisedC shift_normalised_c;
        ShiftOnly shift_only;
        HalvesA halves_a;
        HalvesC halves_c;
        HalvesNormalisedC halves_normalised_c;
        ExternalA external_a;
        ExternalC external_c;
        ExternalCurvedC external_curved_c;
        ExternalNormalisedC external_normalised_c;
        ExternalShiftC external_shift_c;
    )
}
