use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial"x)]
struct Foo;

fn main() {}
