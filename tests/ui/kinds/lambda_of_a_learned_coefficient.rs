use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", learned(b = 0.0), lambda(b = 0.5))]
struct Foo;

fn main() {}
