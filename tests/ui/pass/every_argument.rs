use dyrelu::{Combine, DynamicActivation, PerPiece, Sharing, Source, Squash, dynamic_activation};

#[dynamic_activation(
    k = 2,
    share = "none",
    combine = "min",
    crate = ::dyrelu,
    piece = |x, gain, r#type, p, c, s| {
        let x = x - r#type;
        let t = if x > 0.0 || !(gain >= x) && x != -1.0 { gain * x } else if x <= -3.0 { -2 * x.powi(-2) } else { tanh(x) };
        p * t + c * s
    },
    init(gain = [1.0, -0.5], r#type = 0),
    lambda(gain = 0.25),
    squash(r#type = "none"),
    learned(p = shared([1.0, 2.0])),
    fixed(c = -0.5),
    neighbours(s = shift(0, -1)),
    hyper(context = "pooled halves", layers = 2, inner = "none"),
    attention = "normalised",
)]
#[derive(Debug)]
pub struct Foo;

fn main() {
    assert_eq!(Foo::SHARING, Sharing::Unshared);
    assert_eq!(Foo::COMBINE, Combine::Min);
    assert_eq!(Foo::COEFFICIENTS.iter().map(|c| (c.name, c.init.of(1))).collect::<Vec<_>>(), [
        ("gain", -0.5),
        ("type", 0.0),
        ("p", 2.0),
    ]);
    assert_eq!(Foo::COEFFICIENTS.iter().map(|c| c.source).collect::<Vec<_>>(), [
        Source::Dynamic { lambda: PerPiece::Same(0.25), squash: Squash::CentredSigmoid },
        Source::Dynamic { lambda: PerPiece::Same(1.0), squash: Squash::Identity },
        Source::Learned { shared: true },
    ]);
    assert_eq!(Foo::NEIGHBOURS, [dyrelu::Neighbour { name: "s", groups: 0, channels: -1 }]);
    assert_eq!(Foo::HYPER.context, dyrelu::Context::PooledHalves);
    assert_eq!(Foo::HYPER.inner, dyrelu::Inner::Identity);
    assert_eq!(Foo::ATTENTION, dyrelu::Attention::Normalised);
}
