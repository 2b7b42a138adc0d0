use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = spatial+channel)]
struct Foo;

fn main() {}
