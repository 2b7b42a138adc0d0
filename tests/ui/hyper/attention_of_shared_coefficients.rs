use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", attention = "normalised")]
struct Foo;

fn main() {}
