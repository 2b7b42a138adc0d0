use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", reduction = 8)]
struct Foo;

fn main() {}
