//! The paper's cost model: multiply-adds and parameters in closed form (Chen et al., "Dynamic ReLU", ECCV 2020, Table 8).

use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon, OneDynamicPiece, PRelu, Plu, Pwlu,
    SRelu, SqueezeExcite,
};
use dyrelu::{Cost, DynamicActivation, dynamic_activation};

/// After the projection, whose output no activation follows otherwise: a·x + b.
#[dynamic_activation(k = 1, share = "spatial")]
struct Affine;

/// The blocks of MobileNetV2 (Sandler et al., CVPR 2018, Table 2): expansion, channels, repetitions, stride.
const BLOCKS: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// A number of channels times 0.35, rounded to a multiple of 8.
fn scaled(channels: usize) -> usize {
    let exact = channels as f64 * 0.35;
    let mut nearest = 8;
    while (nearest + 8) as f64 <= exact + 4.0 {
        nearest += 8;
    }
    if (nearest as f64) < 0.9 * exact {
        nearest + 8
    } else {
        nearest
    }
}

/// Multiply-adds of MobileNetV2 × 0.35 for images of 224 × 224: those of the convolutions and of the classifier, and those
/// that dynamic activations with this reduction add.
fn mobile_net_v2(reduction: usize) -> [usize; 2] {
    let cost_of = |cost: Result<Cost, _>| cost.unwrap().multiply_adds();
    let dynamic = |channels, positions| {
        cost_of(
            DyReluB::layer::<f32>(channels)
                .reduction(reduction)
                .cost(positions),
        )
    };
    let affine = |channels, positions| {
        cost_of(
            Affine::layer::<f32>(channels)
                .reduction(reduction)
                .cost(positions),
        )
    };
    let mut side = 112;
    let mut input = scaled(32);
    let (mut convolutions, mut activations) = (9 * 3 * input * side * side, 0);
    for [expansion, channels, repetitions, stride] in BLOCKS {
        let output = scaled(channels);
        for repetition in 0..repetitions {
            let hidden = expansion * input;
            if expansion != 1 {
                convolutions += input * hidden * side * side;
                activations += dynamic(hidden, side * side);
            }
            side /= if repetition == 0 { stride } else { 1 };
            convolutions += (9 * hidden + hidden * output) * side * side;
            activations += dynamic(hidden, side * side) + affine(output, side * side);
            input = output;
        }
    }
    convolutions += input * 1280 * side * side + 1280 * 1000;
    [convolutions, activations]
}

#[test]
fn mobile_net_v2_takes_the_papers_multiply_adds() {
    let millions = |count: usize| format!("{:.1}", count as f64 / 1e6);
    // 59.2 in the paper, which does not say what it leaves out; 59.3 is the number of the network in torchvision.
    assert_eq!(millions(mobile_net_v2(8)[0]), "59.3");
    for (reduction, total) in [(64, "64.3"), (32, "64.4"), (16, "64.6"), (8, "65.0")] {
        let [convolutions, activations] = mobile_net_v2(reduction);
        assert_eq!(millions(convolutions + activations), total, "R = {reduction}");
    }
}

/// The parameters of the closed form are those of the layer, for every activation of the gallery.
#[test]
fn the_closed_form_counts_the_parameters_of_layers() {
    fn check<A: DynamicActivation>(channels: usize) {
        let mut builder = A::layer::<f32>(channels).reduction(3);
        if !A::NEIGHBOURS.is_empty() {
            builder = builder.groups(4);
        }
        let cost = builder.cost(35).unwrap();
        assert_eq!(
            cost.parameters,
            builder.build().unwrap().parameter_count(),
            "{} {channels}",
            A::NAME
        );
    }
    macro_rules! check_all {
        ($($activation:ident)*) => { $(for channels in [12, 20] { check::<$activation>(channels); })* };
    }
    check_all! {
        DyReluA DyReluB DyReluC OneDynamicPiece DyHead DyHeadBetween DyReluNormalised DyShiftMax SqueezeExcite ApRelu
        DynamicSwish MetaAcon AconC LeakyRelu PRelu Maxout Apl SRelu Plu Pwlu ARelu DyT HardSwish
    }
}

/// B: C·s + s + 2KC·s + 2KC, A: C·s + s + 2K·s + 2K, C: as B and C + 1, with s hidden units.
#[test]
fn the_three_modes_cost_what_the_paper_says() {
    let (c, s, positions) = (96, 12, 196);
    let a = DyReluA::layer::<f64>(c).reduction(8).cost(positions).unwrap();
    assert_eq!(
        [a.parameters, a.multiply_adds()],
        [c * s + s + 4 * s + 4, c * s + 4 * s + 2 * c * positions]
    );
    let b = DyReluB::layer::<f64>(c).reduction(8).cost(positions).unwrap();
    assert_eq!(
        [b.parameters, b.multiply_adds()],
        [
            c * s + s + 4 * c * s + 4 * c,
            c * s + 4 * c * s + 2 * c * positions
        ]
    );
    let attended = DyReluC::layer::<f64>(c).reduction(8).cost(positions).unwrap();
    assert_eq!(attended.parameters, b.parameters + c + 1);
    // One product for the scores, and one with π.
    assert_eq!(attended.multiply_adds(), b.multiply_adds() + 2 * c * positions);
}

/// Formulas with another number of products, and sizes that cannot be.
#[test]
fn products_are_counted_as_they_are_written() {
    let pieces = |cost: Result<Cost, _>| cost.unwrap().pieces;
    // relu(x) + s · min(x, 0); x · σ(β · x); t · σ(β · slope · x) + q · x with t = slope · x
    assert_eq!(pieces(ApRelu::layer::<f32>(2).cost(3)), 6);
    assert_eq!(pieces(DynamicSwish::layer::<f32>(2).cost(3)), 2 * 6);
    assert_eq!(pieces(MetaAcon::layer::<f32>(2).cost(3)), 5 * 6);
    assert_eq!(pieces(Maxout::layer::<f32>(2).cost(3)), 2 * 6);
    assert_eq!(
        DyReluB::layer::<f32>(0).cost(3).unwrap_err().to_string(),
        "expected channels to be at least 1, found 0"
    );
    assert_eq!(
        PRelu::layer::<f32>(4)
            .cost(usize::MAX / 2)
            .unwrap_err()
            .to_string(),
        format!(
            "expected channels × positions to be small enough to count the multiply-adds, found 4 × {}",
            usize::MAX / 2
        )
    );
}
