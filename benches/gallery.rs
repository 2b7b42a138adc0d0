//! How fast each activation of the gallery is, forward and both forward and backward, next to what bounds it, as a table in
//! Markdown.
//!
//! ```console
//! cargo bench --bench gallery
//! ```
//!
//! One thread, `f32`, 8×64×56×56. The bound is the larger of two times, measured in the same turns:
//!
//! * memory: what must be read and written, by loops that do nothing else. Forward a copy of x, and one more read of it if
//!   means of it are needed; backward two reads and a write, and once more a read and a write if means are needed.
//! * arithmetic: the same kernels on one row that stays in the first-level cache, as often as there are rows. Means, hyper
//!   function and attention are not in it.
//!
//! Other programs disturb a measurement only upwards, so all take turns, many times, and the shortest time counts.

use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::kernels::piecewise::{self, PieceSet};
use dyrelu::kernels::{Level, neighbours, pool};
use dyrelu::{Cache, Context, DynamicActivation, Gradients, Layer, Sharing, Source};
use ndarray::{Array2, Array4, Ix4};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SHAPE: (usize, usize, usize, usize) = (8, 64, 56, 56);
const ROUNDS: usize = 100;

fn main() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    one_thread.expect("a thread").install(|| {
        println!(
            "| activation | forward, µs | memory | arithmetic | × | both, µs | memory | arithmetic | × |"
        );
        println!("|:--|--:|--:|--:|--:|--:|--:|--:|--:|");
        measure::<DyReluA>();
        measure::<DyReluB>();
        measure::<DyReluC>();
        measure::<OneDynamicPiece>();
        measure::<DyHead>();
        measure::<DyHeadBetween>();
        measure::<DyReluNormalised>();
        measure::<DyShiftMax>();
        measure::<DyShiftMaxMicroNet>();
        measure::<SqueezeExcite>();
        measure::<ApRelu>();
        measure::<DynamicSwish>();
        measure::<MetaAcon>();
        measure::<AconC>();
        measure::<LeakyRelu>();
        measure::<PRelu>();
        measure::<Maxout>();
        measure::<Apl>();
        measure::<SRelu>();
        measure::<Plu>();
        measure::<Pwlu>();
        measure::<ARelu>();
        measure::<DyT>();
        measure::<HardSwish>();
    });
}

fn measure<A: DynamicActivation>() {
    let mut case = Case::<A>::new();
    let works: [fn(&mut Case<A>); 8] = [
        Case::copy,
        Case::read,
        Case::read_two_and_write,
        Case::add,
        Case::pieces,
        Case::pieces_backward,
        Case::forward,
        Case::forward_and_backward,
    ];
    let mut shortest = [Duration::MAX; 8];
    for round in 0..ROUNDS {
        for turn in 0..works.len() {
            let i = (round + turn) % works.len();
            let start = Instant::now();
            works[i](&mut case);
            shortest[i] = start.elapsed().min(shortest[i]);
        }
    }
    let [copy, read, backward, add, pieces, pieces_backward, forward, both] =
        shortest.map(|time| time.as_secs_f64() * 1e6);
    let means = if needs_means::<A>() { 1.0 } else { 0.0 };
    let memory = copy + means * read;
    let memory_both = memory + backward + means * add;
    println!(
        "| {} | {} | {} |",
        A::NAME,
        cells(forward, memory, pieces),
        cells(both, memory_both, pieces + pieces_backward)
    );
}

/// Whether no output is known before all inputs are.
fn needs_means<A: DynamicActivation>() -> bool {
    let dynamic = |source| matches!(source, Source::Dynamic { .. });
    let from_x = A::COEFFICIENTS
        .iter()
        .any(|coefficient| dynamic(coefficient.source))
        && A::HYPER.context != Context::External;
    from_x || A::SHARING == Sharing::Unshared
}

/// A time, its two bounds, and how many times as long as the larger of them it is.
fn cells(time: f64, memory: f64, arithmetic: f64) -> String {
    let ratio = time / memory.max(arithmetic);
    format!("{time:.0} | {memory:.0} | {arithmetic:.0} | {ratio:.2}")
}

struct Case<A> {
    level: Level,
    layer: Layer<A, f32>,
    x: Array4<f32>,
    context: Option<Array2<f32>>,
    grad_y: Array4<f32>,
    y: Array4<f32>,
    cache: Cache<f32>,
    grads: Gradients<f32, Ix4>,
}

impl<A: DynamicActivation> Case<A> {
    fn new() -> Self {
        let (samples, channels, ..) = SHAPE;
        let mut builder = A::layer(channels);
        if !A::NEIGHBOURS.is_empty() {
            builder = builder.groups(4);
        }
        let layer = builder.build().expect("a layer");
        // Like a wave, but never the same twice.
        let wave = |i: usize| (i as f32 * 0.37).sin() * 2.0;
        let mut i = 0;
        let x = Array4::from_shape_simple_fn(SHAPE, || {
            i += 1;
            wave(i)
        });
        let external = A::HYPER.context == Context::External;
        let context = external.then(|| Array2::from_shape_fn((samples, channels), |(n, c)| wave(n * 7 + c)));
        let grad_y = x.mapv(|x| 0.5 - x);
        let (y, cache) = match &context {
            None => layer.forward_train(&x),
            Some(context) => layer
                .with_context(context)
                .and_then(|layer| layer.forward_train(&x)),
        }
        .expect("x fits");
        let grads = match &context {
            None => layer.backward(&x, &cache, &grad_y),
            Some(context) => layer
                .with_context(context)
                .and_then(|layer| layer.backward(&x, &cache, &grad_y)),
        }
        .expect("x fits");
        Self {
            level: Level::new(),
            layer,
            x,
            context,
            grad_y,
            y,
            cache,
            grads,
        }
    }

    fn copy(&mut self) {
        slice_mut(&mut self.y).copy_from_slice(black_box(slice(&self.x)));
        black_box(&mut self.y);
    }

    fn read(&mut self) {
        let (samples, channels, height, width) = SHAPE;
        let mut means = vec![0.0; samples * channels];
        pool::forward(self.level, height * width, black_box(slice(&self.x)), &mut means);
        black_box(means);
    }

    fn read_two_and_write(&mut self) {
        let grads = slice(&self.x).iter().zip(slice(&self.grad_y));
        for (grad_x, (x, grad_y)) in slice_mut(&mut self.grads.x).iter_mut().zip(grads) {
            *grad_x = x * grad_y;
        }
        black_box(&mut self.grads.x);
    }

    fn add(&mut self) {
        let (samples, channels, height, width) = SHAPE;
        let zeros = vec![0.0; samples * channels];
        pool::backward(self.level, height * width, &zeros, slice_mut(&mut self.grads.x));
    }

    fn forward(&mut self) {
        match &self.context {
            None => self.layer.forward_into(&self.x, &mut self.y),
            Some(context) => self
                .layer
                .with_context(context)
                .and_then(|layer| layer.forward_into(&self.x, &mut self.y)),
        }
        .expect("arrays that fit");
        black_box(&mut self.y);
    }

    fn forward_and_backward(&mut self) {
        let Self {
            layer,
            x,
            context,
            grad_y,
            y,
            cache,
            grads,
            ..
        } = self;
        match context {
            None => layer
                .forward_train_into(x, y, cache)
                .and_then(|()| layer.backward_into(x, cache, grad_y, grads)),
            Some(context) => layer.with_context(context).and_then(|layer| {
                layer.forward_train_into(x, y, cache)?;
                layer.backward_into(x, cache, grad_y, grads)
            }),
        }
        .expect("arrays that fit");
        black_box(grads);
    }

    /// The pieces of one row, or of two that are neighbours, as often as there are elements of x.
    fn pieces(&mut self) {
        let (len, coefficients, attention) = self.row();
        let (x, y) = (&slice(&self.x)[..len], &mut slice_mut(&mut self.y)[..len]);
        for _ in 0..self.x.len() / len {
            if A::NEIGHBOURS.is_empty() {
                let operands = piecewise::Operands {
                    len,
                    coefficients: &coefficients,
                    attention: &attention,
                };
                A::Pieces::forward(self.level, operands, black_box(x), y);
            } else {
                let operands = neighbour_rows(len, &coefficients, &attention);
                A::Pieces::forward_neighbours(self.level, operands, black_box(x), y);
            }
            black_box(&mut *y);
        }
    }

    fn pieces_backward(&mut self) {
        let (len, coefficients, attention) = self.row();
        let (x, grad_y) = (&slice(&self.x)[..len], &slice(&self.grad_y)[..len]);
        let mut grad_coefficients = vec![0.0; coefficients.len()];
        let mut grad_attention = vec![0.0; attention.len()];
        for _ in 0..self.x.len() / len {
            let grads = piecewise::Gradients {
                x: &mut slice_mut(&mut self.grads.x)[..len],
                coefficients: &mut grad_coefficients,
                attention: &mut grad_attention,
            };
            if A::NEIGHBOURS.is_empty() {
                let operands = piecewise::Operands {
                    len,
                    coefficients: &coefficients,
                    attention: &attention,
                };
                A::Pieces::backward(self.level, operands, black_box(x), grad_y, grads);
            } else {
                let operands = neighbour_rows(len, &coefficients, &attention);
                A::Pieces::backward_neighbours(self.level, operands, black_box(x), grad_y, grads);
            }
            black_box(&mut grad_coefficients);
        }
    }

    /// The length of a row that stays in the first-level cache, with its coefficients and attention.
    fn row(&self) -> (usize, Vec<f32>, Vec<f32>) {
        let set = self.cache.coefficients();
        let set_len = set.shape()[2] * set.shape()[3];
        let rows = if A::NEIGHBOURS.is_empty() { 1 } else { 2 };
        let coefficients: Vec<f32> = set.iter().copied().take(rows * set_len).collect();
        let len = 1568;
        let positions = len / rows;
        let attention = match self.cache.attention() {
            Some(attention) => attention.iter().copied().take(positions).collect(),
            None => Vec::new(),
        };
        (len, coefficients, attention)
    }
}

/// Two channels, each the other's neighbour.
fn neighbour_rows<'a>(
    len: usize,
    coefficients: &'a [f32],
    attention: &'a [f32],
) -> neighbours::Operands<'a, f32> {
    neighbours::Operands {
        positions: len / 2,
        channels: 2,
        coefficients,
        attention,
        sources: &[1, 0],
    }
}

fn slice(array: &Array4<f32>) -> &[f32] {
    array.as_slice().expect("standard layout")
}

fn slice_mut(array: &mut Array4<f32>) -> &mut [f32] {
    array.as_slice_mut().expect("standard layout")
}
