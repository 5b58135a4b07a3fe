package com.example.lighthouse.service;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.StringReader;

import org.junit.Before;
import org.junit.Ignore;
import org.junit.Test;

public class RegisterTest {

    private Register register;

    @Before
    public void readTwoLights() {
        register = Register.read(new StringReader("Skrova;Fl(2) W 30s;18\n\nLindesnes;Iso R 4s;17\n"));
    }

    @Test
    public void keepsTheOrderOfTheFile() {
        assertEquals("Skrova", register.lights().get(0).name());
        assertEquals("Lindesnes", register.lights().get(1).name());
    }

    @Test
    public void findsWhatIsSeenFromAfar() {
        assertEquals(1, register.seenFrom(18).size());
        assertTrue(register.seenFrom(40).isEmpty());
    }

    @Test(expected = IllegalArgumentException.class)
    public void refusesALineWithoutRange() {
        Register.read(new StringReader("Skrova;Fl(2) W 30s"));
    }

    @Test
    public void readsTheCoast() {
        assertEquals(4, Register.ofTheCoast().lights().size());
    }

    @Ignore("the fog signals are not in the register yet")
    @Test
    public void hearsFogSignals() {
        assertEquals(1, register.seenFrom(0).size());
    }
}
