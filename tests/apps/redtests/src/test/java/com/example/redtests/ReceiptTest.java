package com.example.redtests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ReceiptTest {

    private final Receipt receipt = new Receipt().add("berth", 250).add("water", 40);

    @Test
    void addsUp() {
        assertEquals(290, receipt.total());
    }

    @Test
    void mergesEqualLines() {
        assertEquals(300, receipt.add("berth", 10).total());
    }

    /** Red on purpose: nobody ever wrote the line of the tax. */
    @Test
    void printsTheTax() {
        assertEquals("berth: 250\nwater: 40\ntax: 58\ntotal: 348\n", receipt.text(),
                "the receipt lacks the tax of 20 %\nsee the price list, § 4 \"Tax & fees\"\n");
    }
}
