package com.example.lighthouse.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RhythmTest {

    @ParameterizedTest
    @ValueSource(strings = {"Fl(3) W 10s", "Oc R 6s", "Iso G 4s"})
    void isWrittenAsItWasRead(String notation) {
        assertEquals(notation, Rhythm.parse(notation).toString());
    }

    @Test
    void aSingleFlashNeedsNoGroup() {
        assertEquals(new Rhythm(Rhythm.Kind.FL, 1, Rhythm.Colour.W, 5), Rhythm.parse("Fl W 5s"));
    }

    @Nested
    class Refuses {

        @Test
        void anUnknownColour() {
            assertThrows(IllegalArgumentException.class, () -> Rhythm.parse("Fl B 5s"));
        }

        @Test
        void anEmptyText() {
            assertThrows(IllegalArgumentException.class, () -> Rhythm.parse(""));
        }
    }
}
