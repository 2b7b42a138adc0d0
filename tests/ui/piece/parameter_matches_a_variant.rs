use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, Some(a)| a * x)]
struct Foo;

fn main() {}
