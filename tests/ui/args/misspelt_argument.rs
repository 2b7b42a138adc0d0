use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, shar = "spatial")]
struct Foo;

fn main() {}
