use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, a, c| a * x, init(a = 1.0), fixed(c = 1.0))]
struct Foo;

fn main() {}
