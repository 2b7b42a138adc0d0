use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "Spatial")]
struct Foo;

fn main() {}
