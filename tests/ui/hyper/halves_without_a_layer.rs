use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", hyper(context = "pooled halves", layers = 0))]
struct Foo;

fn main() {}
