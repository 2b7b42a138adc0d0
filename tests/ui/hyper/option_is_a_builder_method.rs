use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(hidden = 8))]
struct Foo;

fn main() {}
