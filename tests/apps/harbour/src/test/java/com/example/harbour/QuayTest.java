package com.example.harbour;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class QuayTest {

    private static final Berth SHORT = new Berth("short", 40, 5);
    private static final Berth LONG = new Berth("long", 180, 9);

    private Quay quay;

    @BeforeEach
    void emptyQuay() {
        quay = new Quay(List.of(LONG, SHORT));
    }

    @Test
    void keepsTheLongBerthForLongShips() {
        assertEquals(Optional.of(SHORT), quay.moor(new Ship("Sjøbris", 35, 2)));
        assertEquals(1, quay.free());
    }

    @Test
    void takesALongerBerthWhenTheShortOneIsTaken() {
        quay.moor(new Ship("first", 35, 2));
        assertEquals(Optional.of(LONG), quay.moor(new Ship("second", 35, 2)));
    }

    @Test
    void sendsAwayWhatDoesNotFit() {
        assertTrue(quay.moor(new Ship("Titanic", 269, 10.5)).isEmpty());
        assertEquals(2, quay.free());
    }
}
