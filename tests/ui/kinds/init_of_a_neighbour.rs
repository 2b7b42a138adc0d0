use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s, a| a * (x + s), neighbours(s = shift(1, 0)), init(a = 1.0, s = 0.0)
)]
struct Foo;

fn main() {}
