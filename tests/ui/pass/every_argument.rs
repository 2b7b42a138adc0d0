use dyrelu::{Combine, DynamicActivation, Sharing, dynamic_activation};

#[dynamic_activation(
    k = 2,
    share = "none",
    combine = "min",
    crate = ::dyrelu,
    piece = |x, gain, r#type| {
        let x = x - r#type;
        if x > 0.0 || !(gain >= x) && x != -1.0 { gain * x } else if x <= -3.0 { -2 * x.powi(-2) } else { tanh(x) }
    },
    init(gain = [1.0, -0.5], r#type = 0),
    lambda(gain = 0.25),
)]
#[derive(Debug)]
pub struct Foo;

fn main() {
    assert_eq!(Foo::SHARING, Sharing::Unshared);
    assert_eq!(Foo::COMBINE, Combine::Min);
    assert_eq!(Foo::COEFFICIENTS.iter().map(|c| (c.name, c.init.of(1), c.lambda.of(1))).collect::<Vec<_>>(), [
        ("gain", -0.5, 0.25),
        ("type", 0.0, 1.0),
    ]);
    let _ = Foo::layer::<f32>(4);
}
