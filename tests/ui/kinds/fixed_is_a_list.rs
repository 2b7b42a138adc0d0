use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, a, c| max(a * x, c * x), init(a = 1.0), fixed(c = [0.1, 0.2])
)]
struct Foo;

fn main() {}
