package com.example.wrapper;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ParcelTest {

    @Test
    void isWrapped() {
        assertEquals("[ a chart ]", Parcel.wrap("a chart"));
    }

    @Test
    void isWrappedTight() {
        assertEquals("[ a chart ]", Parcel.wrap("  a chart\n"));
    }
}
