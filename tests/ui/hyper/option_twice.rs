use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(layers = 1, layers = 2))]
struct Foo;

fn main() {}
