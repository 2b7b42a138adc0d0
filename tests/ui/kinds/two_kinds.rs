use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", learned(b = 1.0), fixed(b = 0.0))]
struct Foo;

fn main() {}
