use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s, a| a * x, init(a = 1.0), neighbours(s = shift(1, 0))
)]
struct Foo;

fn main() {}
