use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(depth = 2))]
struct Foo;

fn main() {}
