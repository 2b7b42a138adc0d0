use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(context = "image"))]
struct Foo;

fn main() {}
