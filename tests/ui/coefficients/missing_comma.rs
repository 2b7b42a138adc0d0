use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", init(a = 1.0 b = 2.0))]
struct Foo;

fn main() {}
