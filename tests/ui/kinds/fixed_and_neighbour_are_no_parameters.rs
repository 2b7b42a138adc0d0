use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1,
    share = "spatial",
    piece = |x, a| a * x + c * s,
    init(a = 1.0),
    fixed(c = 1.0),
    neighbours(s = shift(1, 0))
)]
struct Foo;

fn main() {}
