use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", learned(b = 0.0), squash(b = "tanh"))]
struct Foo;

fn main() {}
