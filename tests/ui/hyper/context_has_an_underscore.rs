use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(context = "pooled_halves"))]
struct Foo;

fn main() {}
