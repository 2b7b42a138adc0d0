use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "none", piece = |x, a, b a * x + b, reduction = 8)]
struct Foo;

fn main() {}
