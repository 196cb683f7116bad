// SPDX-License-Identifier: GPL-2.0

//! What the kernel's `#[pin_data]` has and the released one has not: `project()`.

use proc_macro::TokenStream;
use quote::{format_ident, quote};
use syn::{parse_macro_input, parse_quote, Fields, GenericParam, ItemStruct, Lifetime};

/// As the kernel's: fields that are not pinned can be reached through a pinned reference.
#[proc_macro_attribute]
pub fn pin_data(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = proc_macro2::TokenStream::from(args);
    let item = parse_macro_input!(item as ItemStruct);
    let projection = projection(&item);
    quote! {
        #[::pinned_init::pin_data(#args)]
        #item
        #projection
    }
    .into()
}

fn projection(item: &ItemStruct) -> proc_macro2::TokenStream {
    let Fields::Named(fields) = &item.fields else {
        return quote!();
    };
    let name = &item.ident;
    let view = format_ident!("{name}Projection");
    let (lent, types): (Vec<_>, Vec<_>) = fields
        .named
        .iter()
        .filter(|field| !field.attrs.iter().any(|a| a.path().is_ident("pin")))
        .map(|field| (&field.ident, &field.ty))
        .unzip();

    let mut generics = item.generics.clone();
    let pin: Lifetime = parse_quote!('__pin);
    generics.params.insert(0, parse_quote!(#pin));
    for param in &mut generics.params {
        if let GenericParam::Type(param) = param {
            param.default = None;
            param.bounds.push(parse_quote!(#pin));
        }
    }
    let (view_impl, view_args, bounds) = generics.split_for_impl();
    let (item_impl, item_args, item_bounds) = item.generics.split_for_impl();
    quote! {
        #[allow(dead_code)]
        struct #view #view_impl #bounds {
            #(#lent: &#pin mut #types,)*
            marker: ::core::marker::PhantomData<&#pin mut #name #item_args>,
        }

        #[allow(dead_code)]
        impl #item_impl #name #item_args #item_bounds {
            fn project<#pin>(self: ::core::pin::Pin<&#pin mut Self>) -> #view #view_args {
                // SAFETY: Only what is not pinned is lent mutably.
                let this = unsafe { self.get_unchecked_mut() };
                #view {
                    #(#lent: &mut this.#lent,)*
                    marker: ::core::marker::PhantomData,
                }
            }
        }
    }
}
