use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", squash(b = tanh))]
struct Foo;

fn main() {}
