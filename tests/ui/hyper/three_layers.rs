use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(layers = 3))]
struct Foo;

fn main() {}
