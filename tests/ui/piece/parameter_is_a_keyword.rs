use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, type, in| x * type, init(type = 1.0))]
struct Foo;

fn main() {}
