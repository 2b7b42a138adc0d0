use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial")]
union Foo {
    a: u8,
}

fn main() {}
