use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", combine = "mean")]
struct Foo;

fn main() {}
