use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", combine = min)]
struct Foo;

fn main() {}
