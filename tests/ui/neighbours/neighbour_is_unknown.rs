use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s, a| a * max(x, s), init(a = 1.0), neighbours(neighbour = shift(1, 0)), learned(s = 0.0)
)]
struct Foo;

fn main() {}
