package com.example.harbour;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BerthTest {

    private static final Berth MIDDLE = new Berth("middle", 80, 6);

    @ParameterizedTest(name = "{0}: {1} m long, draught {2} m, fits: {3}")
    @CsvSource({
        "Sjøbris,    35,   2.0, true",
        "Nordlys,    80,   5.5, true",
        "Hurtigruten,80.1, 4.0, false",
        "'Deep \"Blue\"', 60, 5.6, false",
    })
    void takesWhatFits(String name, double length, double draught, boolean fits) {
        assertEquals(fits, MIDDLE.takes(new Ship(name, length, draught)));
    }

    @Test
    void refusesABerthWithoutLength() {
        var refused = assertThrows(IllegalArgumentException.class, () -> new Berth("none", 0, 4));
        assertTrue(refused.getMessage().contains("berth none"), refused.getMessage());
    }

    @Test
    @Disabled("HARBOUR-42: waits for the tide tables")
    void countsTheTide() {
        assertTrue(MIDDLE.takes(new Ship("Springflo", 60, 6.5)));
    }
}
