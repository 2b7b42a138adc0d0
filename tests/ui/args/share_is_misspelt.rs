use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spacial")]
struct Foo;

fn main() {}
