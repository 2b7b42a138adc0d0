use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(layers = "two"))]
struct Foo;

fn main() {}
