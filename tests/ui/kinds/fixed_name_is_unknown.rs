use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", fixed(c = 0.0))]
struct Foo;

fn main() {}
