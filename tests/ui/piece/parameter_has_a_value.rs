use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a = 1.0| a * x)]
struct Foo;

fn main() {}
