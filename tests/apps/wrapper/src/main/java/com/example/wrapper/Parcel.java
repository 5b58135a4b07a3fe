package com.example.wrapper;

/** Something in paper. */
final class Parcel {

    private Parcel() {}

    static String wrap(String content) {
        return "[ " + content.strip() + " ]";
    }
}
