package com.example.redtests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TillTest {

    @Test
    void takesWhatWasTyped() {
        assertEquals(40, new Receipt().addTyped("water", "40").total());
    }

    /** Red on purpose: an error, not a failure, and its reason is in the cause. */
    @Test
    void takesAnAmountWithABlank() {
        assertEquals(1250, new Receipt().addTyped("berth", "1 250").total());
    }
}
